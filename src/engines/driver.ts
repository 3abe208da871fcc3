/**
 * The interface every engine's driver implements. A driver knows one protocol and nothing else: no deadlines of its own
 * (the executor's signal carries them), no retries of mutations, no decision.
 */
import type { EngineFacts } from '../core/facts.ts';
import type { Secret, Service, SleepLevel } from '../core/model.ts';
import type { Clock } from '../io/clock.ts';
import type { Http } from '../io/http.ts';

/** What a driver is given to work with. */
export interface DriverParts {
  readonly http: Http;
  readonly clock: Clock;
  /** The secret's text; throws `secret-missing`. Never logged. */
  readonly secret: (secret: Secret, service: string) => Promise<string>;
}

export interface Driver<S extends Service = Service> {
  /**
   * What the engine says of itself. Never changes anything in it, never wakes or loads. An engine that is down, hung or
   * talks nonsense is an answer; the only rejection is the caller's own abort reason (a deadline is not: `silent`).
   */
  probe(service: S, signal: AbortSignal): Promise<EngineFacts>;
  /** Absent: this engine has no sleep at all. Whether a running one can is told by its probe. */
  readonly nap?: Nap<S>;
  /** Requests being served or queued; undefined = the engine can't tell. Never wakes it. */
  inFlight?(service: S, signal: AbortSignal): Promise<number | undefined>;
  /** Makes a stop of its unit prompt (llama-server >= b7225: SIGTERM with a request in flight never ends). May throw. */
  beforeStop?(service: S, signal: AbortSignal): Promise<void>;
  /** One small request that proves it serves (`verify:`); throws `engine-contradicts`. */
  canary?(service: S, signal: AbortSignal): Promise<void>;
}

/**
 * Sleep and wake. Both resolve only when the engine itself confirms the new state, send each mutation once, and send none
 * when the state already holds. Throw `engine-refused`, `engine-unreachable`, `engine-contradicts`, `engine-cannot`.
 */
export interface Nap<S extends Service = Service> {
  /** `force`: do not wait for requests in flight where the engine lets one choose. */
  sleep(service: S, level: SleepLevel, options: { readonly force: boolean }, signal: AbortSignal): Promise<void>;
  /** `level`: how deep it sleeps; absent = unknown, the careful sequence is used. */
  wake(service: S, level: SleepLevel | undefined, signal: AbortSignal): Promise<void>;
}

export type MakeDriver<S extends Service> = (parts: DriverParts) => Driver<S>;
