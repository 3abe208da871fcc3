/** What was measured of a service: the last samples of each figure, and what they amount to. Pure. */
import type { SleepLevel } from './model.ts';
import type { StepKind } from './plan.ts';

/** Bytes are of one GPU (the most on any); seconds of one step. Levels apart, and the first level-1 sleep of a process. */
export const MEASURES = [
  'awake-bytes',
  'peak-bytes', // while it starts or wakes, as far as samples taken meanwhile show
  'asleep-bytes',
  'asleep-1-bytes',
  'asleep-2-bytes',
  'backup-bytes', // host RAM, of all its GPUs: what the machine had less after the first level-1 sleep of a process
  'start-seconds',
  'stop-seconds',
  'restart-seconds',
  'sleep-seconds',
  'sleep-1-seconds',
  'sleep-1-first-seconds',
  'sleep-2-seconds',
  'wake-seconds',
  'wake-1-seconds',
  'wake-2-seconds',
] as const;
export type Measure = (typeof MEASURES)[number];

export interface Sample {
  readonly measure: Measure;
  readonly value: number;
}

export interface Learned {
  /** Of the engine, when these were measured; absent = it tells none. */
  readonly version?: string;
  /** Oldest first. */
  readonly samples: Readonly<Partial<Record<Measure, readonly number[]>>>;
}

/** What a plan is told of a service besides what is declared and observed. */
export interface Known {
  readonly learned?: Learned;
  /** No sleep of its process is on record: the first one at level 1 costs more. */
  readonly neverSlept?: true;
  /** Its process has slept at level 1 before: the host RAM for that is already taken. */
  readonly pinned?: true;
}
export type KnownFigures = ReadonlyMap<string, Known>;

const KEPT = 20;
/** Fewer are chance. */
const ENOUGH = 3;

/** The median of the last samples; undefined until there are enough. */
export function learned(known: Learned | undefined, measure: Measure): number | undefined {
  const values = (known?.samples[measure] ?? []).slice(-KEPT);
  return values.length < ENOUGH ? undefined : median(values);
}

/** Undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = values.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

/** Of the seconds of a step. `isFirst`: see `neverSlept`. */
export function secondsMeasure(
  { kind, level }: { readonly kind: Exclude<StepKind, 'await'>; readonly level?: SleepLevel },
  isFirst: boolean,
): Measure {
  if (level === undefined || (kind !== 'sleep' && kind !== 'wake')) return `${kind}-seconds`;
  return kind === 'sleep' && level === 1 && isFirst ? 'sleep-1-first-seconds' : `${kind}-${level}-seconds`;
}

/** Another version of the engine is another engine: what was known of the old one is let go. */
export function withSamples(known: Learned | undefined, added: readonly Sample[], version?: string): Learned {
  const isSame = version === undefined || known?.version === undefined || known.version === version;
  const samples: Partial<Record<Measure, readonly number[]>> = isSame ? { ...known?.samples } : {};
  for (const { measure, value } of added)
    if (Number.isFinite(value) && value >= 0) samples[measure] = [...(samples[measure] ?? []), value].slice(-KEPT);
  const now = version ?? known?.version;
  return now === undefined ? { samples } : { version: now, samples };
}
