/** A deadline around one piece of work. */
import { isGpumodError } from '../core/errors.ts';
import type { Clock } from '../io/clock.ts';

export interface Deadline {
  readonly clock: Clock;
  readonly ms: number;
  /** The caller's own; its reason is thrown on. */
  readonly signal: AbortSignal;
}

/** Ends `work` when the time is up, and gives `late()` then. Whatever `work` left behind is aborted when it is over. */
export async function within<T>(
  { clock, ms, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
  late: () => T,
): Promise<T> {
  signal.throwIfAborted();
  const over = new AbortController();
  const scope = AbortSignal.any([signal, over.signal]);
  let isLate = false;
  const ring = () => {
    isLate = true;
    over.abort();
  };
  clock.sleep(ms, scope).then(ring, () => {});
  try {
    const result = await work(scope);
    signal.throwIfAborted();
    return result;
  } catch (error) {
    signal.throwIfAborted();
    if (isLate && !isGpumodError(error)) return late();
    throw error;
  } finally {
    over.abort();
  }
}
