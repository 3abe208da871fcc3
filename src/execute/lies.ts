/** What a failed sleep or wake says of its level: one that lied is not tried again in this version of the engine. */
import { isShortage } from '../core/cause.ts';
import { NATURES } from '../core/engines.ts';
import type { AnyGpumodError } from '../core/errors.ts';
import type { Service, SleepLevel } from '../core/model.ts';
import type { Step } from '../core/plan.ts';
import type { Lie } from '../core/remembered.ts';
import { formatBytes } from '../core/units.ts';
import { type Context, seenBefore } from './context.ts';

/** Remembers that the level failed, if the failure is the level's. Never throws. */
export async function rememberLie(
  context: Context,
  step: Step,
  service: Service,
  error: AnyGpumodError,
): Promise<void> {
  const reason = reasonOf(step, service, error);
  const level = levelOf(context, step);
  if (reason === undefined || level === undefined || context.signal.aborted) return;
  const version = versionOf(context, service);
  const { clock, records } = context.host;
  const atMs = clock.nowMs();
  const lie: Lie = { level, reason, atMs, ...(version === undefined ? {} : { version }) };
  const others = (await liesNow(context, service)).filter((other) => other.level !== level);
  await records.keep(service.name, { lies: [...others, lie] }, atMs).catch(() => {});
}

/** A level that has just worked is trusted again. Never throws. */
export async function forgetLie(context: Context, service: Service, level: SleepLevel | undefined): Promise<void> {
  const { clock, records } = context.host;
  const { lies = [] } = (await records.read(service.name)) ?? {};
  const left = lies.filter((lie) => lie.level !== level);
  if (left.length < lies.length) await records.keep(service.name, { lies: left }, clock.nowMs()).catch(() => {});
}

/** The step's own, else the only one the engine has. */
export function levelOf({ before }: Context, step: Step): SleepLevel | undefined {
  const nap = before.services.get(step.service)?.nap;
  return step.level ?? (nap?.can && nap.levels.length === 1 ? nap.levels[0] : undefined);
}

/** Of this version: those of another one are forgotten. */
async function liesNow(context: Context, service: Service): Promise<readonly Lie[]> {
  const { lies = [] } = (await context.host.records.read(service.name)) ?? {};
  return lies.filter((lie) => lie.version === versionOf(context, service));
}

function versionOf(context: Context, service: Service): string | undefined {
  const { engine } = seenBefore(context, service);
  return engine && 'version' in engine ? engine.version : undefined;
}

/** The evidence; undefined when the failure does not speak against the level. */
function reasonOf(step: Step, service: Service, error: AnyGpumodError): string | undefined {
  if (step.kind === 'sleep') return evidence(error);
  // A model that can't be loaded again could not be loaded at a start either: that is not the sleep's fault.
  if (step.kind === 'wake' && NATURES[service.engine].sleep === 'offloads') return evidence(error);
  return undefined;
}

/** Refused for what was asked, or who asked: a mistake of the manifest's, not of the level. */
const OURS: readonly number[] = [400, 401, 403, 404, 405, 422];

const NO_ROOM = /out.?of.?memory/i;

/** systemd's results of a unit that died; a stop by somebody else is none of them. */
const DIED: ReadonlySet<string> = new Set(['exit-code', 'signal', 'core-dump', 'timeout', 'watchdog']);

function evidence(error: AnyGpumodError): string | undefined {
  switch (error.code) {
    case 'engine-refused': {
      const { request, status, reason } = error.details;
      return OURS.includes(status) || NO_ROOM.test(reason) ? undefined : `${request}: ${status} ${reason}`.trimEnd();
    }
    case 'engine-unreachable':
      return `${error.details.request}: ${error.details.reason}`;
    case 'engine-contradicts':
      return `${error.details.wanted}: ${error.details.reported}`;
    case 'unit-failed':
      if (!DIED.has(error.details.result) || isShortage(error.details.cause)) return undefined;
      return `unit ${error.details.result}`;
    case 'memory-contradicts': {
      const { wanted, alone, measuredBytes, expectedBytes } = error.details;
      if (wanted === 'take' || !alone) return undefined; // a neighbour may have taken what it freed
      return `freed ${formatBytes(measuredBytes)} of ${formatBytes(expectedBytes)}`;
    }
    default:
      return undefined;
  }
}
