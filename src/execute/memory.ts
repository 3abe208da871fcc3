/** Measured GPU memory around a step: room before a take, movement after it. Declared figures are never taken for measured. */

import { GpumodError } from '../core/errors.ts';
import type { GpuReading } from '../core/facts.ts';
import type { Step } from '../core/plan.ts';
import { type Context, within } from './context.ts';

const POLL_MS = 100;
/** Memory comes back some time after a stop or sleep: the driver frees it asynchronously. */
const RELEASE_WAIT_MS = 15_000;
/** vLLM >= 0.7: the freed memory shows up within seconds of the answer to /sleep. */
const MOVE_WAIT_MS = 5_000;
/** The part of the declared movement that must be measured: declared figures are rough. */
const PROOF_SHARE = 0.5;

/** Waits until each of the step's GPUs has the room it takes and the reserve. Throws `memory-not-free`. */
export async function admit(context: Context, step: Step): Promise<void> {
  if (step.deltaBytes <= 0) return;
  const neededBytes = step.deltaBytes + context.manifest.gpuReserveBytes;
  const short = (reading: GpuReading) => step.gpus.find((gpu) => (freeOn(reading, gpu) ?? neededBytes) < neededBytes);
  let lacking = short(context.gauge.latest);
  const deadline = context.host.clock.ticksMs() + RELEASE_WAIT_MS;
  while (lacking !== undefined && context.host.clock.ticksMs() < deadline) {
    await context.host.clock.sleep(POLL_MS, context.signal);
    lacking = short(await context.gauge.fresh(context.signal));
  }
  if (lacking === undefined) return;
  const freeBytes = freeOn(context.gauge.latest, lacking) ?? 0;
  throw new GpumodError('memory-not-free', { service: step.service, gpu: lacking, neededBytes, freeBytes });
}

/**
 * Waits until the step's memory has moved as planned since `before`, on each of its GPUs. Returns the measured bytes that
 * came free (+) or were taken (-) over all of them; undefined where it can't be measured. Throws `memory-contradicts`.
 */
export async function verifyMoved(context: Context, step: Step, before: GpuReading): Promise<number | undefined> {
  const { clock } = context.host;
  const deadline = clock.ticksMs() + (step.kind === 'stop' ? RELEASE_WAIT_MS : MOVE_WAIT_MS);
  for (;;) {
    const after = await context.gauge.fresh(within(MOVE_WAIT_MS, context.signal));
    const moves = step.gpus.map((gpu) => ({ gpu, ...movement(before, after, gpu) }));
    const known = moves.flatMap(({ gpu, bytes }) => (bytes === undefined ? [] : [{ gpu, bytes }]));
    if (known.length === 0) return undefined;
    const wrong = known.find(({ bytes }) => !proves(step, bytes));
    if (!wrong) return -known.reduce((sum, { bytes }) => sum + bytes, 0);
    if (clock.ticksMs() >= deadline) throw contradiction(step, wrong.gpu, wrong.bytes);
    await clock.sleep(POLL_MS, context.signal);
  }
}

function proves(step: Step, movedBytes: number): boolean {
  const proof = step.deltaBytes * PROOF_SHARE;
  return step.deltaBytes < 0 ? movedBytes <= proof : movedBytes >= proof;
}

function contradiction(step: Step, gpu: number, movedBytes: number): GpumodError {
  const wanted = step.deltaBytes < 0 ? 'release' : 'take';
  const expectedBytes = Math.abs(step.deltaBytes);
  const measuredBytes = Math.max(0, wanted === 'release' ? -movedBytes : movedBytes);
  return new GpumodError('memory-contradicts', { service: step.service, wanted, gpu, expectedBytes, measuredBytes });
}

function movement(before: GpuReading, after: GpuReading, gpu: number): { bytes: number | undefined } {
  const was = usedOn(before, gpu);
  const is = usedOn(after, gpu);
  return { bytes: was === undefined || is === undefined ? undefined : is - was };
}

function usedOn(reading: GpuReading, gpu: number): number | undefined {
  return cardOf(reading, gpu)?.usedBytes ?? undefined;
}

function freeOn(reading: GpuReading, gpu: number): number | undefined {
  return cardOf(reading, gpu)?.freeBytes ?? undefined;
}

function cardOf(reading: GpuReading, gpu: number) {
  return reading.kind === 'measured' ? reading.gpus.find((card) => card.index === gpu) : undefined;
}
