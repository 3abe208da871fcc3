/** `wait`: until no other gpumod is at work. Never takes the lock. */
import { GpumodError } from '../core/errors.ts';
import type { Manifest } from '../core/model.ts';
import type { Notify } from '../core/report.ts';
import type { Host } from '../execute/host.ts';
import { interruptedSwitch } from './interrupted.ts';
import { activeModes, status } from './status.ts';

export interface WaitOptions {
  /** Absent: for ever. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

const POLL_MS = 200;

/** Tells of the other when its process dies meanwhile. Throws `timed-out`, and the signal's reason. */
export async function waitForOthers(
  { lock, clock, switchJournal }: Pick<Host, 'lock' | 'clock' | 'switchJournal'>,
  { timeoutMs, signal }: WaitOptions,
  notify: Notify,
): Promise<void> {
  const beganMs = clock.ticksMs();
  if (!(await lock.holder())) return;
  do {
    const leftMs = timeoutMs === undefined ? POLL_MS : beganMs + timeoutMs - clock.ticksMs();
    if (leftMs <= 0) throw new GpumodError('timed-out', { what: 'wait', afterMs: timeoutMs ?? 0 });
    await clock.sleep(Math.min(POLL_MS, leftMs), signal);
  } while (await lock.holder());
  const entry = await interruptedSwitch({ switchJournal });
  if (entry) notify({ type: 'interrupted', entry });
}

/** Throws `not-in-state` when another mode holds, or none. */
export async function checkHolds(manifest: Manifest, mode: string, host: Host, signal: AbortSignal): Promise<void> {
  const now = await status(manifest, host, signal);
  if (activeModes(now).includes(mode)) return;
  throw new GpumodError('not-in-state', { wanted: mode, actual: activeModes(now)[0] ?? 'none' });
}
