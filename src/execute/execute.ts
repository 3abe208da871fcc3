/**
 * Walks a plan: every step as soon as those it waits for are verified done; after a failure no new step begins, nor does
 * one that still waits for room.
 */
import type { AnyGpumodError } from '../core/errors.ts';
import type { Plan, Step } from '../core/plan.ts';
import type { Execution, StepReport } from '../core/report.ts';
import { type Context, serviceOf } from './context.ts';
import { perform } from './perform.ts';

export async function execute(shared: Context, plan: Plan): Promise<Execution> {
  const failed = new AbortController();
  const context: Context = { ...shared, stop: AbortSignal.any([shared.stop, failed.signal]) };
  const waiting = new Set(plan.steps);
  const done = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const reports: StepReport[] = [];
  let error: AnyGpumodError | undefined;
  let bug: { readonly thrown: unknown } | undefined;

  listenEarly(context, plan);
  const run = async (step: Step) => {
    const report = await carryOut(context, step);
    reports.push(report);
    context.notify({ type: 'step-finished', report });
    if (report.outcome.kind === 'done') done.add(step.id);
    if (report.outcome.kind !== 'failed') return;
    error ??= report.outcome.error;
    failed.abort();
  };

  for (;;) {
    for (const step of waiting) {
      if (context.stop.aborted || context.signal.aborted || !step.after.every((id) => done.has(id))) continue;
      waiting.delete(step);
      running.set(
        step.id,
        run(step)
          .catch((thrown) => {
            bug ??= { thrown };
            failed.abort();
          })
          .finally(() => running.delete(step.id)),
      );
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (bug) throw bug.thrown; // after what was running has ended
  for (const step of waiting) reports.push(skipped(context, step));
  return error ? { reports, error } : { reports };
}

/** Takes watch their units; hearing of changes can begin while the releases before them are at work. */
function listenEarly(context: Context, plan: Plan): void {
  for (const scope of new Set(plan.steps.map((step) => serviceOf(context, step).scope)))
    context.host
      .units(scope)
      .then((units) => units.listen(context.signal))
      .catch(() => {}); // the step that needs it will meet the same error
}

async function carryOut(context: Context, step: Step): Promise<StepReport> {
  const startSeconds = context.elapsed();
  await context.begin(step);
  context.notify({ type: 'step-started', step, atSeconds: startSeconds });
  const { outcome, engineMs, measured } = await perform(context, step);
  return {
    step,
    outcome,
    startSeconds,
    endSeconds: context.elapsed(),
    engineSeconds: engineMs / 1000,
    ...measured,
  };
}

function skipped(context: Context, step: Step): StepReport {
  const now = context.elapsed();
  return { step, outcome: { kind: 'skipped' }, startSeconds: now, endSeconds: now, engineSeconds: 0 };
}
