/** Room before a step: it begins once measured free memory has what it takes, beside all that has begun before it. */
import { GpumodError } from '../core/errors.ts';
import type { GpuReading } from '../core/facts.ts';
import type { Step } from '../core/plan.ts';
import { MIB } from '../core/units.ts';
import { type Context, readCards } from './context.ts';
import { freeOn } from './gauge.ts';
import { holdersOf } from './holders.ts';

const POLL_MS = 100;
/** Memory comes back some time after a stop or sleep: the driver frees it asynchronously. */
const ROOM_WAIT_MS = 15_000;
/** Between two samples, less is no movement: a desktop draws. */
const CALM_BYTES = 32 * MIB;

export interface Terms {
  /** No other step may be at work on its cards. */
  readonly alone?: true;
  /** Nothing has been done for it yet: it waits no longer once the switch has failed or been stopped. */
  readonly first?: true;
  /** What its service held before can't be said, and may still be coming free: how much it takes is not judged. */
  readonly unjudged?: true;
}

/** Thrown when a step must not begin any more: the switch has failed meanwhile, or a release on its card. */
export class NotBegun extends Error {}

/**
 * Resolves as soon as the step has begun (`gauge.enter`): the room found is its own from then on. Waits as long as other
 * steps are at work on its cards, then for memory to come back. Throws `memory-not-free` and `NotBegun`.
 */
export async function admit(context: Context, step: Step, { alone, first }: Terms = {}): Promise<void> {
  const { gauge, signal } = context;
  const { clock } = context.host;
  let deadline = clock.ticksMs() + ROOM_WAIT_MS;
  let seen = await firstRoom(context, step);
  for (;;) {
    if (step.deltaBytes > 0 && gauge.isBlocked(step.gpus)) throw new NotBegun();
    const busy = gauge.isBusy(step.gpus);
    if (seen.fits && seen.calm && gauge.enter(step, alone ? 'alone' : undefined)) return;
    if (busy) deadline = clock.ticksMs() + ROOM_WAIT_MS;
    else if (clock.ticksMs() >= deadline) throw await notFree(context, step, seen);
    await clock.sleep(POLL_MS, signal);
    if (first && context.stop.aborted) throw new NotBegun();
    if (step.deltaBytes > 0) seen = after(seen, roomFor(context, step, await readCards(context)));
  }
}

/** Room on the step's cards, as one reading tells it; a card that can't tell has room. */
interface Room {
  readonly fits: boolean;
  /** Nobody takes memory meanwhile, as far as two readings show. */
  readonly calm: boolean;
  readonly perGpu: ReadonlyMap<number, number>;
  readonly neededBytes: number;
}

/** A card at rest needs one reading of this moment; beside others at work, or where memory vanishes, one more. */
async function firstRoom(context: Context, step: Step): Promise<Room> {
  const { gauge } = context;
  const before = roomFor(context, step, gauge.latest);
  if (step.deltaBytes <= 0) return before;
  if (gauge.isFresh()) return { ...before, calm: !gauge.isBusy(step.gpus) };
  const now = after(before, roomFor(context, step, await readCards(context)));
  return gauge.isBusy(step.gpus) ? { ...now, calm: false } : now;
}

function roomFor({ gauge, manifest }: Context, step: Step, reading: GpuReading): Room {
  const neededBytes = step.deltaBytes + manifest.gpuReserveBytes;
  const perGpu = new Map(
    step.gpus.flatMap((gpu) => {
      const room = gauge.roomOn(reading, gpu);
      return room === undefined ? [] : [[gpu, room] as const];
    }),
  );
  const fits = step.deltaBytes <= 0 || [...perGpu.values()].every((room) => room >= neededBytes);
  return { fits, calm: true, perGpu, neededBytes };
}

function after(before: Room, now: Room): Room {
  const calm = [...now.perGpu].every(([gpu, room]) => room >= (before.perGpu.get(gpu) ?? room) - CALM_BYTES);
  return { ...now, calm };
}

async function notFree(context: Context, step: Step, { perGpu, neededBytes, calm }: Room): Promise<GpumodError> {
  const lowest = [...perGpu].sort(([, a], [, b]) => a - b)[0];
  const [gpu, freeBytes] = lowest ?? [step.gpus[0] ?? 0, 0];
  return new GpumodError('memory-not-free', {
    service: step.service,
    gpu,
    neededBytes,
    freeBytes: Math.max(0, Math.min(freeBytes, freeOn(context.gauge.latest, gpu) ?? freeBytes)),
    ...(calm ? {} : { falling: true as const }),
    ...(await holdersOf(context, step.service, gpu)),
  });
}
