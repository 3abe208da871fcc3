/** A clock of its own: a wait takes no time, and things happen in the order of their times. */
import { onAbort } from '../../src/core/on-abort.ts';
import type { Clock } from '../../src/io/clock.ts';

export interface VirtualClock extends Clock {
  /** Calls back after `ms`. */
  after(ms: number, happen: () => void): void;
}

interface Event {
  readonly atMs: number;
  readonly happen: () => void;
}

/** Time passes only while somebody waits: a deadline alone does not make it. */
export function virtualClock(): VirtualClock {
  let now = 0;
  let events: Event[] = [];
  let isPumping = false;
  const deadlines = new Set<Event>();

  const pump = () => {
    if (isPumping || events.length === 0) return;
    isPumping = true;
    // By then everything that could go on has gone on.
    setImmediate(() => {
      isPumping = false;
      const next = events.shift();
      if (!next) return;
      for (const deadline of deadlines) if (deadline.atMs < next.atMs && deadlines.delete(deadline)) deadline.happen();
      now = Math.max(now, next.atMs);
      next.happen();
      pump();
    });
  };
  const add = (event: Event) => {
    const place = events.findIndex(({ atMs }) => atMs > event.atMs);
    events.splice(place < 0 ? events.length : place, 0, event);
    pump();
  };
  return {
    nowMs: () => now,
    ticksMs: () => now,
    after: (ms, happen) => add({ atMs: now + ms, happen }),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const event: Event = {
          atMs: now + ms,
          happen: () => {
            forget();
            resolve();
          },
        };
        const forget = onAbort(signal, () => {
          events = events.filter((other) => other !== event);
          reject(signal.reason);
        });
        add(event);
      }),
    deadline(ms, signal) {
      const control = new AbortController();
      const event: Event = {
        atMs: now + ms,
        happen: () => {
          forget();
          control.abort(new DOMException(`${ms} ms have passed`, 'TimeoutError'));
        },
      };
      const forget = onAbort(signal, () => {
        deadlines.delete(event);
        control.abort(signal.reason);
      });
      deadlines.add(event);
      if (signal.aborted) control.abort(signal.reason);
      return control.signal;
    },
  };
}
