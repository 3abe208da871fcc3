/** Memory in the way that may only be coming free: what has just been stopped or put to sleep gives it back some time after. */
import type { GpuReading } from '../core/facts.ts';
import type { Planned } from '../core/plan.ts';
import { MIB } from '../core/units.ts';
import type { Host } from '../execute/host.ts';

const POLL_MS = 250;
const WAIT_MS = 15_000;
/** Readings in a row in which nothing comes free any more. */
const STEADY_READINGS = 8;
const STEADY_BYTES = 32 * MIB;

/**
 * Looks again at the cards as long as memory comes free and something is refused for memory of nobody's: `plan` with each
 * look. What processes are told to hold is not waited for.
 */
export async function whileComingFree<A extends { readonly planned: Planned }>(
  host: Host,
  first: Looked<A>,
  plan: (gpu: GpuReading) => readonly A[],
  signal: AbortSignal,
): Promise<Looked<A>> {
  const deadline = host.clock.ticksMs() + WAIT_MS;
  let seen = first;
  for (let steady = 0; steady < STEADY_READINGS && host.clock.ticksMs() < deadline; ) {
    if (!seen.answers.some(({ planned }) => mayComeFree(planned, seen.gpu))) return seen;
    await host.clock.sleep(POLL_MS, signal);
    const gpu = await host.telemetry.read(signal, 'processes');
    steady = used(gpu) < used(seen.gpu) - STEADY_BYTES ? 0 : steady + 1;
    seen = { gpu, answers: plan(gpu) };
  }
  return seen;
}

/** What was planned, and the look at the cards that it was planned from. */
interface Looked<A> {
  readonly gpu: GpuReading;
  readonly answers: readonly A[];
}

function mayComeFree(planned: Planned, reading: GpuReading): boolean {
  if (planned.kind !== 'refused' || reading.kind === 'unmeasured') return false;
  return planned.problems.some((problem) => {
    if (problem.code !== 'foreign-memory') return false;
    const card = reading.gpus.find(({ index }) => index === problem.gpu);
    const held = (reading.processes ?? []).filter(({ gpu }) => gpu === problem.gpu);
    const nobodys = (card?.usedBytes ?? 0) - held.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
    return nobodys >= problem.neededBytes - problem.freeBytes;
  });
}

function used(reading: GpuReading): number {
  return reading.kind === 'unmeasured' ? 0 : reading.gpus.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
}
