/** Carries out a plan and says truthfully how it ended: reached, restored, or what is left. */
import { type AnyGpumodError, GpumodError, isGpumodError } from '../core/errors.ts';
import type { EngineFacts, NapAbility } from '../core/facts.ts';
import type { FailurePolicy, Manifest } from '../core/model.ts';
import type { Plan, Step } from '../core/plan.ts';
import type { Execution, Notify, StepReport, SwitchResult } from '../core/report.ts';
import type { Observation } from '../core/state.ts';
import type { Context } from '../execute/context.ts';
import { drain } from '../execute/drain.ts';
import { execute } from '../execute/execute.ts';
import { openGauge } from '../execute/gauge.ts';
import type { Host } from '../execute/host.ts';
import type { Known } from '../execute/look.ts';
import { plan as makePlan } from '../plan/plan.ts';
import { differences, wantedAsBefore } from '../plan/wanted.ts';
import { observe } from './observe.ts';

export interface TransactionOptions {
  readonly onFailure: FailurePolicy;
  readonly force: boolean;
  /** Overrides the services' own drain deadlines. */
  readonly drainMs?: number;
  /** Bounds the whole. */
  readonly timeoutMs?: number;
  /** First Ctrl-C or SIGTERM: no new step. */
  readonly stop: AbortSignal;
}

export interface Transaction {
  readonly manifest: Manifest;
  readonly host: Host;
  readonly plan: Plan;
  readonly before: Observation;
  readonly options: TransactionOptions;
  readonly notify: Notify;
  /** `host.clock.ticksMs()` when the command began. */
  readonly beganMs: number;
}

/** Throws only before anything was touched (`requests-in-flight`); every later failure is in the result. */
export async function carryOut(transaction: Transaction): Promise<SwitchResult> {
  const { plan, notify, before, options } = transaction;
  notify({ type: 'plan', plan });
  const context = contextOf(transaction);
  if (plan.steps.length === 0) return result(transaction, { end: 'unchanged', reports: [], after: before });
  await drain(context, plan, options.drainMs);
  const execution = await execute(context, plan);
  const after = await observe(transaction.manifest, transaction.host, never(), knownAfter(before, execution));
  const error =
    allowing(execution.error, transaction.manifest) ??
    interruption(transaction, execution.reports) ??
    unmet(plan, after);
  if (!error) return result(transaction, { end: 'reached', reports: execution.reports, after });
  return fail(transaction, context, error, execution.reports, after);
}

/**
 * What engines said of themselves, at the start or at the end of their own step, is good for the last look as long as
 * their unit is in the same run. After a failure everything is asked again.
 */
function knownAfter(before: Observation, { reports, error }: Execution): ReadonlyMap<string, Known> {
  const known = new Map<string, Known>();
  if (error) return known;
  const done = reports.filter((report) => report.outcome.kind === 'done');
  const moved = new Map(done.map((report) => [report.step.service, report.step]));
  for (const [name, { unit, engine, nap }] of before.services) {
    const step = moved.get(name);
    if (unit?.invocationId === undefined || !engine) continue;
    if (step === undefined) known.set(name, { invocationId: unit.invocationId, engine });
    if (step?.kind === 'wake') known.set(name, { invocationId: unit.invocationId, engine: { kind: 'ready', nap } });
    if (step?.kind === 'sleep') known.set(name, { invocationId: unit.invocationId, engine: asleep(step, nap) });
  }
  return known;
}

function asleep({ level }: Step, nap: NapAbility): EngineFacts {
  return level === undefined ? { kind: 'asleep', nap } : { kind: 'asleep', level, nap };
}

function contextOf({ manifest, host, before, options, notify, beganMs }: Transaction): Context {
  const signal = options.timeoutMs === undefined ? never() : AbortSignal.timeout(options.timeoutMs);
  const elapsed = () => (host.clock.ticksMs() - beganMs) / 1000;
  return {
    host,
    manifest,
    before,
    notify,
    signal,
    stop: options.stop,
    force: options.force,
    gauge: openGauge(host.telemetry, before.gpu),
    elapsed,
  };
}

/** One rule that allows all of the manifest's system units, not one error a unit. */
function allowing(error: AnyGpumodError | undefined, { services }: Manifest): AnyGpumodError | undefined {
  if (error?.code !== 'not-permitted') return error;
  const system = [...services.values()].filter((service) => service.scope === 'system');
  const units = system.map((service) => service.unit);
  return new GpumodError('not-permitted', { ...error.details, units }, { cause: error }) as AnyGpumodError;
}

/** Steps were left out, and none of them failed: the caller stopped us, or `--timeout` did. */
function interruption(
  { options, beganMs, host }: Transaction,
  reports: readonly StepReport[],
): AnyGpumodError | undefined {
  if (!reports.some((report) => report.outcome.kind === 'skipped')) return undefined;
  if (options.stop.aborted && isGpumodError(options.stop.reason)) return options.stop.reason;
  return new GpumodError('timed-out', { what: 'switch', afterMs: host.clock.ticksMs() - beganMs }) as AnyGpumodError;
}

/** All steps were done, and yet a look at the end shows something else: a service died meanwhile. */
function unmet(plan: Plan, after: Observation): AnyGpumodError | undefined {
  const wrong = differences(plan.wanted, after);
  if (wrong.length === 0) return undefined;
  const actual = wrong.map((name) => `${name}: ${after.services.get(name)?.state.kind ?? 'unknown'}`).join(', ');
  return new GpumodError('not-in-state', { wanted: plan.target, actual }) as AnyGpumodError;
}

async function fail(
  transaction: Transaction,
  context: Context,
  error: AnyGpumodError,
  reports: readonly StepReport[],
  after: Observation,
): Promise<SwitchResult> {
  const { before, options } = transaction;
  const wanted = wantedAsBefore(before);
  const lost = differences(wanted, after);
  if (lost.length === 0) return result(transaction, { end: 'untouched', reports, after, error });
  const left = { end: 'left' as const, reports, after, error, notRestored: lost };
  // A person who pressed Ctrl-C wants no further acts.
  if (options.onFailure === 'leave' || error.code === 'interrupted') return result(transaction, left);
  transaction.notify({ type: 'restoring', because: error });
  const back = makePlan({
    manifest: transaction.manifest,
    now: after,
    target: transaction.plan.target,
    wanted,
    because: 'restore',
  });
  if (back.kind === 'refused') return result(transaction, left);
  transaction.notify({ type: 'plan', plan: back.plan });
  const restore: Context = {
    ...context,
    before: after,
    signal: never(),
    force: true,
    gauge: openGauge(transaction.host.telemetry, after.gpu),
  };
  const execution = await execute(restore, back.plan);
  const end = await observe(transaction.manifest, transaction.host, never());
  const still = differences(wanted, end);
  return result(transaction, {
    end: still.length === 0 ? 'restored' : 'left',
    reports: [...reports, ...execution.reports],
    after: end,
    error,
    notRestored: still,
  });
}

type Ending = Pick<SwitchResult, 'end' | 'reports' | 'after'> & Partial<Pick<SwitchResult, 'error' | 'notRestored'>>;

function result({ plan, host, beganMs }: Transaction, ending: Ending): SwitchResult {
  return {
    target: plan.target,
    plan,
    notRestored: [],
    ...ending,
    durationSeconds: (host.clock.ticksMs() - beganMs) / 1000,
    engineSeconds: busySeconds(ending.reports),
  };
}

/** The time in which at least one engine or unit was at work: what no planner could save. */
function busySeconds(reports: readonly StepReport[]): number {
  const spans = reports
    .filter((report) => report.engineSeconds > 0)
    .map((report) => ({ from: report.startSeconds, to: report.startSeconds + report.engineSeconds }))
    .sort((a, b) => a.from - b.from);
  let total = 0;
  let until = 0;
  for (const { from, to } of spans) {
    total += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return total;
}

function never(): AbortSignal {
  return new AbortController().signal;
}
