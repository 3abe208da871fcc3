/** `mode plan`: what a switch would do, from what is observed now. Changes nothing. */
import { keepersOn } from '../core/attribution.ts';
import { GpumodError } from '../core/errors.ts';
import type { GpuReading } from '../core/facts.ts';
import type { Manifest } from '../core/model.ts';
import type { Plan, Planned } from '../core/plan.ts';
import type { Observation } from '../core/state.ts';
import type { Host } from '../execute/host.ts';
import { type PlanInput, plan } from '../plan/plan.ts';
import { cold, wantedInMode, withoutFailing } from '../plan/wanted.ts';
import { whileComingFree } from './coming-free.ts';
import { examined } from './examine.ts';
import { findMode } from './find.ts';
import { observe } from './observe.ts';
import { recall } from './recall.ts';

export interface PlanOptions {
  /** Stop instead of sleep. */
  readonly cold: boolean;
}

export interface PlannedMode {
  readonly plan: Plan;
  readonly now: Observation;
}

/** Throws `no-such-mode`, and `refused` with every problem. */
export async function planMode(
  manifest: Manifest,
  modeName: string,
  options: PlanOptions,
  host: Host,
  signal: AbortSignal,
): Promise<PlannedMode> {
  const { now, answers } = await planModes(manifest, [modeName], options, host, signal);
  const [answer] = answers;
  if (!answer) throw new Error('one mode, one answer');
  return { plan: accepted(answer.planned, modeName), now };
}

export interface PlannedModes {
  /** In the order of the names. */
  readonly answers: readonly { readonly mode: string; readonly planned: Planned }[];
  readonly now: Observation;
}

/** One look at the machine, and a plan from it for each mode. Throws `no-such-mode`. */
export async function planModes(
  manifest: Manifest,
  modeNames: readonly string[],
  options: PlanOptions,
  host: Host,
  signal: AbortSignal,
): Promise<PlannedModes> {
  const modes = modeNames.map((name) => findMode(manifest, name));
  const seen = await observe(manifest, host, signal, { detail: 'processes' });
  const asked = modes.map((mode) => {
    const wanted = withoutFailing(wantedInMode(manifest, mode), manifest, seen);
    return { mode: mode.name, wanted: options.cold ? cold(wanted, seen) : wanted };
  });
  const targets = asked.map(({ wanted }) => wanted);
  const recalled = recall(host, seen, targets); // meanwhile; it never fails
  let now = seen;
  for (const { wanted } of asked) now = await examined(manifest, now, wanted, host, signal);
  const figures = await recalled;
  const observed = now;
  const plans = (gpu: GpuReading) =>
    asked.map(({ mode, wanted }) => planned({ manifest, now: { ...observed, gpu }, target: mode, wanted, figures }));
  const first = { gpu: observed.gpu, planned: plans(observed.gpu) };
  const settled = await whileComingFree(host, first, plans, signal);
  const answers = asked.flatMap(({ mode }, i) => {
    const answer = settled.planned[i];
    return answer ? [{ mode, planned: answer }] : [];
  });
  return { answers, now: { ...observed, gpu: settled.gpu } };
}

export function accepted(planned: Planned, target: string): Plan {
  if (planned.kind === 'plan') return planned.plan;
  throw new GpumodError('refused', { mode: target, problems: planned.problems });
}

/** A plan, or why there is none: what is in use and should not be may be a sleeper's, and is told by its name. */
export function planned(input: PlanInput): Planned {
  const made = plan(input);
  if (made.kind === 'plan') return made;
  const problems = made.problems.map((problem) => {
    if (problem.code !== 'foreign-memory' && problem.code !== 'does-not-fit') return problem;
    const keepers = keepersOn(problem.gpu, input.manifest, input.now);
    return keepers.length > 0 ? { ...problem, keepers } : problem;
  });
  return { ...made, problems };
}
