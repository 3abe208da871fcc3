/** `mode switch`: observe, plan, carry out, verify. */
import { GpumodError } from '../core/errors.ts';
import type { Manifest } from '../core/model.ts';
import type { Notify, SwitchResult } from '../core/report.ts';
import type { Host } from '../execute/host.ts';
import { findMode } from './find.ts';
import { type PlanOptions, planMode } from './plan-mode.ts';
import { carryOut, type TransactionOptions } from './transaction.ts';

export type SwitchOptions = PlanOptions & TransactionOptions;

/** Throws when nothing was touched: `no-such-mode`, `refused`, `requests-in-flight`, `bus-unreachable`, ... */
export async function switchMode(
  manifest: Manifest,
  modeName: string,
  options: SwitchOptions,
  host: Host,
  notify: Notify,
): Promise<SwitchResult> {
  const beganMs = host.clock.ticksMs();
  findMode(manifest, modeName);
  const { plan, now } = await planMode(manifest, modeName, options, host, options.stop);
  const result = await carryOut({ manifest, host, plan, before: now, options, notify, beganMs });
  if (result.end === 'reached' || result.end === 'unchanged') await host.lastMode.write(modeName);
  return result;
}

/** `mode is-active`: throws `not-in-state` when another mode holds, or none. */
export function requireActive(wanted: string, modes: readonly string[]): void {
  if (!modes.includes(wanted)) throw new GpumodError('not-in-state', { wanted, actual: modes[0] ?? 'none' });
}
