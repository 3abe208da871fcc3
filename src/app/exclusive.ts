/** One command that changes something at a time. */
import { GpumodError, isGpumodError } from '../core/errors.ts';
import { progressOf, stepAtWork } from '../core/record.ts';
import type { Notify } from '../core/report.ts';
import type { Host } from '../execute/host.ts';
import type { LockOptions } from '../state/lock.ts';
import { fileInterrupted } from './interrupted.ts';

/** Throws `locked`, `lock-unavailable`: nothing was touched. */
export async function exclusively<T>(
  host: Host,
  options: LockOptions,
  notify: Notify,
  work: () => Promise<T>,
): Promise<T> {
  const held = await host.lock.acquire(options).catch((error) => lost(host, error));
  try {
    const entry = await fileInterrupted(host);
    if (entry) notify({ type: 'interrupted', entry });
    return await work();
  } finally {
    await held.release();
  }
}

/** To another, who has written down how far it is. */
async function lost(host: Host, error: unknown): Promise<never> {
  if (!isGpumodError(error) || error.code !== 'locked') throw error;
  const found = await host.switchJournal.read();
  if (!found?.isAtWork || found.entry.phase === 'run') throw error;
  const at = stepAtWork(found.entry);
  const doing = { ...progressOf(found.entry), ...(at ? { kind: at.kind, service: at.service } : {}) };
  throw new GpumodError('locked', { ...error.details, doing });
}
