/** What has been let go of a card and may still come free: drivers free memory some time after a stop or sleep. */
import { RELEASES, type Step } from '../core/plan.ts';

/** What is not back by then is not coming, milliseconds. */
const LATE_MS = 15_000;
/** A cold start waits for it so long: declared figures are rough, and it may never come. */
const AWAITED_MS = 5_000;

/** As of the moment when the card held `fromBytes`. */
interface Late {
  readonly bytes: number;
  readonly fromBytes: number;
  readonly atMs: number;
}

export interface LateMemory {
  /** Bytes; infinite = it can't be said how many. */
  on(gpu: number, usedBytes: number | undefined): number;
  /** The same, as far as it is said, and worth waiting for. */
  awaitedOn(gpu: number, usedBytes: number | undefined): number;
  /** A step has ended there: of what it was to let go `restBytes` have not come free; what has failed may free anything. */
  add(gpu: number, step: Step, restBytes: number | undefined, usedBytes: number | undefined): void;
}

export function lateMemory(clock: { ticksMs(): number }): LateMemory {
  const late = new Map<number, Late>();
  const within = (ms: number, gpu: number, usedBytes = 0) => {
    const rest = late.get(gpu);
    if (!rest || clock.ticksMs() >= rest.atMs + ms) return 0;
    return Math.max(0, rest.bytes - Math.max(0, rest.fromBytes - usedBytes));
  };
  return {
    on: (gpu, usedBytes) => within(LATE_MS, gpu, usedBytes),
    awaitedOn(gpu, usedBytes) {
      const bytes = within(AWAITED_MS, gpu, usedBytes);
      return Number.isFinite(bytes) ? bytes : 0;
    },
    add(gpu, step, restBytes, fromBytes) {
      const hasFailed = restBytes === undefined;
      if (fromBytes === undefined || (!hasFailed && !isEnding(step) && !RELEASES.has(step.kind))) return;
      const isSaid = !hasFailed && step.deltaBytes < 0 && step.learnedBytes === undefined;
      const before = within(LATE_MS, gpu, fromBytes);
      const bytes = isSaid && Number.isFinite(before) ? Math.max(0, restBytes) : Number.POSITIVE_INFINITY;
      late.set(gpu, { bytes, fromBytes, atMs: clock.ticksMs() });
    },
  };
}

/** What stops gives its memory back some time after, and moves it until then. */
export function isEnding({ kind, because }: Step): boolean {
  return kind === 'stop' || (because.code === 'under-way' && because.from === 'stopping');
}
