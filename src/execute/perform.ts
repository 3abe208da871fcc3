/** One step of a plan: act, verify, and the fallback that the plan foresaw. */
import { type AnyGpumodError, GpumodError, isGpumodError } from '../core/errors.ts';
import { asleepBytesOf, type Service } from '../core/model.ts';
import type { Step } from '../core/plan.ts';
import type { StepOutcome } from '../core/report.ts';
import { type Context, seenBefore, serviceOf, within } from './context.ts';
import { lookAt } from './look.ts';
import { admit, verifyMoved } from './memory.ts';
import { startAndWait, timed, waitAwake, wakeAndWait } from './take.ts';

export interface Performed {
  readonly outcome: StepOutcome;
  /** Milliseconds that engine and unit took, as opposed to us. */
  readonly engineMs: number;
  readonly freedBytes?: number;
}

/** Never throws a known failure: it is the step's outcome. */
export async function perform(context: Context, step: Step): Promise<Performed> {
  const service = serviceOf(context, step);
  const watch = stopwatch(context);
  const end = (outcome: StepOutcome, freedBytes?: number): Performed => ({
    outcome,
    engineMs: watch.ms(),
    ...(freedBytes === undefined ? {} : { freedBytes }),
  });
  try {
    const freed = await attempt(context, step, service, watch);
    return end({ kind: 'done' }, freed);
  } catch (thrown) {
    const error = known(thrown, context);
    // A restart needs the room that a wake has not got, and would cost the sleeper.
    const noRoom = error.code === 'memory-not-free';
    if (step.ifRefused === undefined || noRoom || context.signal.aborted) return end({ kind: 'failed', error });
    return fallBack(context, step, service, error, watch, end);
  }
}

type End = (outcome: StepOutcome, freedBytes?: number) => Performed;

async function fallBack(
  context: Context,
  step: Step,
  service: Service,
  because: AnyGpumodError,
  watch: Stopwatch,
  end: End,
): Promise<Performed> {
  const kind = step.ifRefused ?? 'stop';
  context.notify({ type: 'step-fallback', step, because, atSeconds: context.elapsed() });
  try {
    const freed = await attempt(context, { ...step, kind, deltaBytes: fallbackDelta(step, service) }, service, watch);
    return end({ kind: 'done', fallback: kind, because }, freed);
  } catch (thrown) {
    return end({ kind: 'failed', error: known(thrown, context) });
  }
}

/** A stop instead of a sleep frees the residual too; a restart ends where the wake would have. */
function fallbackDelta(step: Step, service: Service): number {
  return step.ifRefused === 'stop' ? step.deltaBytes - asleepBytesOf(service) : step.deltaBytes;
}

/** Returns the measured bytes that came free (+) or were taken (-). */
async function attempt(context: Context, step: Step, service: Service, watch: Stopwatch): Promise<number | undefined> {
  if (step.kind === 'restart') {
    await watch.during(stopAndVerify(context, service));
    await watch.during(startAndWait(context, service));
    return undefined;
  }
  await admit(context, step);
  return context.gauge.during(step, async () => {
    await watch.during(act(context, step, service));
    return verifyMoved(context, step);
  });
}

function act(context: Context, step: Step, service: Service): Promise<void> {
  switch (step.kind) {
    case 'sleep':
      return sleepAndVerify(context, step, service);
    case 'wake':
      return wakeAndWait(context, service, step.level);
    case 'start':
      return startAndWait(context, service);
    case 'await':
      return waitAwake(context, service, service.timeouts.startMs);
    case 'stop':
    case 'restart':
      return stopAndVerify(context, service);
  }
}

/** The driver answers for the engine's own word; the unit must still be in the run that was put to sleep. */
async function sleepAndVerify(context: Context, step: Step, service: Service): Promise<void> {
  const driver = await context.host.driver(service);
  if (!driver.nap)
    throw new GpumodError('engine-cannot', { service: service.name, verb: 'sleep', reason: 'no-engine' });
  try {
    await driver.nap.sleep(service, step.level ?? 1, { force: context.force }, context.signal);
  } catch (thrown) {
    // The engine may have finished what we stopped waiting for: look before judging, never send again.
    const now = await lookAt(context.host, service, context.signal);
    if (now.state.kind !== 'sleeping') throw thrown;
  }
  const units = await context.host.units(service.scope);
  const [unit] = await units.observe([service.unit], context.signal, 'brief');
  if (unit?.active !== 'active' || unit.invocationId !== seenBefore(context, service).unit?.invocationId)
    throw new GpumodError('engine-contradicts', {
      service: service.name,
      wanted: 'sleeping',
      reported: unit?.active === 'active' ? 'restarted' : (unit?.active ?? 'unknown'),
    });
}

async function stopAndVerify(context: Context, service: Service): Promise<void> {
  const signal = within(service.timeouts.stopMs + STOP_GRACE_MS, context);
  const units = await context.host.units(service.scope);
  const driver = await context.host.driver(service);
  await driver.beforeStop?.(service, signal).catch(() => {}); // a kindness: systemd ends the unit with or without it
  const end = await timed(units.stop(service.unit, { signal }), context, {
    what: 'stop',
    afterMs: service.timeouts.stopMs + STOP_GRACE_MS,
    service: service.name,
  });
  if (end.ok) return;
  throw new GpumodError('unit-failed', {
    service: service.name,
    unit: service.unit,
    result: end.result,
    restarting: end.willRestart,
    journal: [],
  });
}

/** Anything that is no known error is a bug of ours and goes up as it is. */
export function known(thrown: unknown, context: Context): AnyGpumodError {
  if (isGpumodError(thrown)) return thrown;
  if (context.signal.aborted && thrown === context.signal.reason)
    return new GpumodError('timed-out', { what: 'switch', afterMs: context.elapsed() * 1000 }) as AnyGpumodError;
  if (thrown instanceof DOMException && thrown.name === 'TimeoutError')
    return new GpumodError('timed-out', { what: 'step', afterMs: 0 }) as AnyGpumodError;
  throw thrown;
}

/** systemd kills at its own deadline, which is often the same: let it. */
const STOP_GRACE_MS = 5_000;

interface Stopwatch {
  during(work: Promise<void>): Promise<void>;
  ms(): number;
}

function stopwatch({ host: { clock } }: Context): Stopwatch {
  let total = 0;
  return {
    async during(work) {
      const began = clock.ticksMs();
      try {
        await work;
      } finally {
        total += clock.ticksMs() - began;
      }
    },
    ms: () => total,
  };
}
