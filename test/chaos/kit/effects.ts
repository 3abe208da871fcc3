/** Counts what a use case does to the machine, and interferes with one of these effects. */

export type Interference =
  | 'dies before' // the process ends, and the effect never was
  | 'dies after' // the effect was, and the process never heard of it
  | 'fails'
  | 'fails after' // the effect was, and what is told is a failure
  | 'hangs' // until the caller's deadline, or its own
  | 'is interrupted'; // Ctrl-C, and the effect goes on

/** Throws, or tells a failure. */
export type Fail = (name: string) => unknown;

export interface How {
  /** Which effect, from 1; 0 = none. */
  readonly at: number;
  readonly what: Interference;
  interrupt(): void;
  /** Lets virtual time pass. */
  tick(): Promise<void>;
  /** After each effect. */
  check(): Promise<void>;
}

export interface Watch {
  /** The same part of the machine; each call of it is an effect, but those in `QUIET`. `fail`: as it does, by name. */
  part<T extends object>(part: T, fail: Fail): T;
  /** A dead process does nothing any more: resolves only while it lives. */
  alive(): Promise<void>;
  /** How many effects there were. */
  count(): number;
  /** `sleep`: of the one that was interfered with. */
  readonly hit: { name?: string };
  /** Resolves when the process has ended by force. */
  readonly died: Promise<'died'>;
}

/** They answer at once, and change nothing. */
const QUIET: ReadonlySet<string> = new Set(['stat', 'bootId', 'close']);
/** They have to be ended by the deadline of the caller; all others have one of their own. */
const PATIENT: ReadonlySet<string> = new Set([
  'start',
  'stop',
  'restart',
  'sleep',
  'wake',
  'probe',
  'inFlight',
  'canary',
]);
const NEVER = new Promise<never>(() => {});
/** Seconds of virtual time, more than any deadline. */
const FOR_EVER = 2000;
const OWN_DEADLINE = 10;

export function watch(how: How): Watch {
  let count = 0;
  let isDead = false;
  let die: (what: 'died') => void = () => {};
  const hit: { name?: string } = {};
  const died = new Promise<'died'>((resolve) => {
    die = resolve;
  });
  const end = () => {
    isDead = true;
    die('died');
    return NEVER;
  };
  const hang = async (name: string, args: readonly unknown[], fail: Fail): Promise<unknown> => {
    const signal = args
      .flatMap((arg) => [arg, (arg as { signal?: unknown } | undefined)?.signal])
      .find((arg) => arg instanceof AbortSignal);
    for (let seconds = 0; seconds < (PATIENT.has(name) ? FOR_EVER : OWN_DEADLINE); seconds++) {
      if (signal?.aborted) throw signal.reason;
      await how.tick();
    }
    if (PATIENT.has(name)) throw new Error(`${name} hangs for ever`);
    return fail(name);
  };
  const effect = async (name: string, work: () => unknown, args: readonly unknown[], fail: Fail): Promise<unknown> => {
    if (isDead) return NEVER;
    count += 1;
    const done = async () => {
      const value = await work();
      await how.check();
      return isDead ? NEVER : value;
    };
    if (count !== how.at) return done();
    hit.name = name;
    switch (how.what) {
      case 'dies before':
        return end();
      case 'dies after':
        await done();
        return end();
      case 'fails':
        return fail(name);
      case 'fails after':
        await done();
        return fail(name);
      case 'hangs':
        return hang(name, args, fail);
      case 'is interrupted':
        how.interrupt();
        return done();
    }
  };
  const part = <T extends object>(of: T, fail: Fail): T =>
    new Proxy(of, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value === 'object' && value !== null && name === 'nap') return part(value, fail);
        if (typeof value !== 'function' || QUIET.has(String(name))) return value;
        return (...args: readonly unknown[]) =>
          effect(String(name), () => Reflect.apply(value, target, args), args, fail);
      },
    });
  return { part, alive: () => (isDead ? NEVER : Promise.resolve()), count: () => count, hit, died };
}
