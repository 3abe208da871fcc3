/** Timers as one manager knows them: what each starts, when it did last and will next. */
import { SYSTEMD, unitPath } from './names.ts';
import type { Session } from './session.ts';

export interface TimerFacts {
  readonly timer: string;
  /** What it starts. */
  readonly unit: string;
  /** `active` (waiting), `inactive`, `failed`. */
  readonly active: string;
  /** Command lines of that unit's service, as words. */
  readonly commands: readonly (readonly string[])[];
  /** Unix milliseconds. */
  readonly lastMs?: number;
  /** Unix milliseconds, of a calendar time. */
  readonly nextMs?: number;
  /** Milliseconds of the machine's monotonic clock, of a time since boot or since something else. */
  readonly nextMonotonicMs?: number;
}

const TIMER = `${SYSTEMD}.Timer`;
const SERVICE = `${SYSTEMD}.Service`;

/** All that are loaded: those that wait, and those that something names. */
export async function listTimers(session: Session, signal: AbortSignal): Promise<readonly TimerFacts[]> {
  const [rows] = await session.call('ListUnitsByPatterns', 'asas', [[], ['*.timer']], signal);
  const all: readonly unknown[] = Array.isArray(rows) ? rows : [];
  return Promise.all(
    all.map(async (row) => {
      const [timer = '', , , active = '', , , path = ''] = Array.isArray(row) ? row.map(String) : [];
      const get = (property: string) => session.get(path, TIMER, property, signal);
      const [unit, last, next, monotonic] = await Promise.all(
        ['Unit', 'LastTriggerUSec', 'NextElapseUSecRealtime', 'NextElapseUSecMonotonic'].map(get),
      );
      return {
        timer,
        unit: String(unit),
        active,
        commands: await commandsOf(session, String(unit), signal),
        ...ms('lastMs', last),
        ...ms('nextMs', next),
        ...ms('nextMonotonicMs', monotonic),
      };
    }),
  );
}

/** Reading them loads the unit, which starts nothing. */
async function commandsOf(session: Session, unit: string, signal: AbortSignal): Promise<TimerFacts['commands']> {
  if (!unit.endsWith('.service')) return [];
  const lines = await session.get(unitPath(unit), SERVICE, 'ExecStart', signal);
  const all: readonly unknown[] = Array.isArray(lines) ? lines : [];
  return all.flatMap((line) => {
    const words: unknown = Array.isArray(line) ? line[1] : undefined;
    return Array.isArray(words) ? [words.map(String)] : [];
  });
}

/** systemd's 0 and 2^64-1 (a bigint) are "none". */
const ms = <K extends string>(key: K, value: unknown): { readonly [P in K]?: number } =>
  typeof value === 'number' && value > 0 ? ({ [key]: value / 1000 } as { readonly [P in K]?: number }) : {};
