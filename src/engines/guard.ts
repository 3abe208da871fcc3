/** Puts deadlines around a driver, so that drivers are about their protocol only. */
import { GpumodError } from '../core/errors.ts';
import type { Service } from '../core/model.ts';
import type { Clock } from '../io/clock.ts';
import { isHttpFailure } from './answer.ts';
import { within } from './deadline.ts';
import type { Driver } from './driver.ts';
import { unreachable } from './talk.ts';

/** A canary generates, so it may take longer than a look; but an engine that hangs must not hold the switch. */
const CANARY_PROBES = 10;

/**
 * The same driver with the service's own timeouts. A probe that runs out is `silent`; a count that runs out or fails is
 * "can't tell". All else throws `timed-out`, or `engine-unreachable` for a failed request that the driver did not name.
 */
export function guard<S extends Service>(driver: Driver<S>, clock: Clock): Driver<S> {
  const { nap, inFlight, beforeStop, canary } = driver;

  async function act(what: string, service: S, ms: number, signal: AbortSignal, work: Work<void>): Promise<void> {
    try {
      await within({ clock, ms, signal }, work, () => {
        throw new GpumodError('timed-out', { what, afterMs: ms });
      });
    } catch (error) {
      throw isHttpFailure(error) ? unreachable(service, what, error) : error;
    }
  }

  async function count(service: S, signal: AbortSignal, work: Work<number | undefined>): Promise<number | undefined> {
    try {
      return await within({ clock, ms: service.timeouts.probeMs, signal }, work, () => undefined);
    } catch (error) {
      if (isHttpFailure(error)) return undefined;
      throw error;
    }
  }

  return {
    probe: (service, signal) => {
      const ms = service.timeouts.probeMs;
      const silent = { kind: 'silent', why: { code: 'no-answer', detail: `${ms} ms` } } as const;
      return within(
        { clock, ms, signal },
        (scope) => driver.probe(service, scope),
        () => silent,
      );
    },
    ...(nap && {
      nap: {
        sleep: (service, level, options, signal) =>
          act('sleep', service, service.timeouts.sleepMs, signal, (scope) => nap.sleep(service, level, options, scope)),
        wake: (service, level, signal) =>
          act('wake', service, service.timeouts.wakeMs, signal, (scope) => nap.wake(service, level, scope)),
      },
    }),
    ...(inFlight && {
      inFlight: (service, signal) => count(service, signal, (scope) => inFlight(service, scope)),
    }),
    ...(beforeStop && {
      // Half of the time to stop: the rest belongs to systemd.
      beforeStop: (service, signal) =>
        act('before-stop', service, service.timeouts.stopMs / 2, signal, (scope) => beforeStop(service, scope)),
    }),
    ...(canary && {
      canary: (service, signal) =>
        act('canary', service, service.timeouts.probeMs * CANARY_PROBES, signal, (scope) => canary(service, scope)),
    }),
  };
}

type Work<T> = (signal: AbortSignal) => Promise<T>;
