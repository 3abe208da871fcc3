/** Time, behind an interface so that tests and the simulated world can own it. */
import { onAbort } from '../core/on-abort.ts';

export interface Clock {
  /** Wall clock, Unix milliseconds. */
  nowMs(): number;
  /** Monotonic milliseconds, for durations. */
  ticksMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Aborts after `ms` with a TimeoutError, or when `signal` does with its reason. */
  deadline(ms: number, signal: AbortSignal): AbortSignal;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  ticksMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const timer = setTimeout(() => {
        forget();
        resolve();
      }, ms);
      const forget = onAbort(signal, () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    }),
  deadline(ms, signal) {
    const control = new AbortController();
    // The timer holds on to both signals. `AbortSignal.any([signal, AbortSignal.timeout(ms)])` does not: once the garbage
    // collector has run it never aborts (Node 20 to 24).
    const timer = setTimeout(() => {
      forget();
      control.abort(new DOMException(`${ms} ms have passed`, 'TimeoutError'));
    }, ms);
    timer.unref();
    const end = () => {
      clearTimeout(timer);
      control.abort(signal.reason);
    };
    const forget = onAbort(signal, end);
    if (signal.aborted) end();
    return control.signal;
  },
};
