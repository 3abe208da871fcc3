/** `mode switch`: observe, plan, carry out, verify. */
import type { Manifest } from '../core/model.ts';
import type { Notify, SwitchResult } from '../core/report.ts';
import type { Host } from '../execute/host.ts';
import { findMode } from './find.ts';
import { type PlanOptions, planMode } from './plan-mode.ts';
import { carryOut, inTime, type TransactionOptions } from './transaction.ts';

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
  const { plan, now } = await inTime(host, options, beganMs, (signal) =>
    planMode(manifest, modeName, options, host, signal),
  );
  const command = `mode switch ${modeName}`;
  const result = await carryOut({ manifest, host, plan, before: now, options, notify, command, isMode: true, beganMs });
  if (result.end === 'reached' || result.end === 'unchanged') await host.lastMode.write(modeName);
  return result;
}
