/** Who holds a card's memory, asked only when a step has failed for want of it. */
import { isContained, keepersOn } from '../core/attribution.ts';
import type { MemoryHolder } from '../core/errors.ts';
import type { GpuProcess } from '../core/facts.ts';
import type { Step } from '../core/plan.ts';
import type { Keeper } from '../core/problem.ts';
import { type Context, READ_MS, within } from './context.ts';
import { look } from './look.ts';
import type { Mover } from './movers.ts';
import { ownerOf, sharesOn, type Told, tells } from './shares.ts';

/** More would not be read. */
const LISTED = 8;

export interface Holders {
  /** Absent = the tool does not tell. */
  readonly holders?: readonly MemoryHolder[];
  /** Absent = none keeps more than planned for. */
  readonly keepers?: readonly Keeper[];
}

/** The service's own first: what its run has left behind counts as its own. Never throws. */
export async function holdersOf(context: Context, service: string, gpu: number): Promise<Holders> {
  const reading = await withProcesses(context);
  if (!reading) return {};
  const keepers = await keepersNow(context, reading, service, gpu).catch(() => []);
  return { ...listed(context, reading, service, gpu), ...(keepers.length > 0 ? { keepers } : {}) };
}

/** The others that sleep now; the service itself is about to be woken. */
async function keepersNow(context: Context, gpu: Told, service: string, index: number): Promise<readonly Keeper[]> {
  const { host, manifest, before } = context;
  const others = [...manifest.services.values()].filter(({ name, gpus }) => name !== service && gpus.includes(index));
  const seen = await look(host, others, within(READ_MS, context));
  return keepersOn(index, manifest, { ...before, gpu, services: new Map(seen.map((each) => [each.service, each])) });
}

/**
 * The tool's totals speak against the step; what it tells of single processes may speak for it: somebody else has taken
 * or freed memory at the same time. `bytes`: what the service may hold on this card in the end;
 * undefined = that is not known.
 */
export async function appeal(
  context: Context,
  { service }: Step,
  {
    gpu,
    wanted,
    bytes,
  }: { readonly gpu: number; readonly wanted: 'release' | 'take'; readonly bytes: number | undefined },
): Promise<{ readonly holds: boolean } & Holders> {
  const reading = await withProcesses(context);
  if (!reading) return { holds: false };
  const shares = sharesOn(context, reading, service, gpu);
  // After a release, all that is not told to be somebody else's may still be its own.
  const told = wanted === 'take' ? (shares?.own ?? 0) : shares && shares.used - shares.others;
  const holds = bytes !== undefined && told !== undefined && (wanted === 'take' ? told >= bytes : told <= bytes);
  return { holds, ...listed(context, reading, service, gpu) };
}

async function withProcesses(context: Context): Promise<Told | undefined> {
  const signal = within(READ_MS, context);
  const reading = await context.host.telemetry.read(signal, 'processes').catch(() => undefined);
  return tells(reading) ? reading : undefined;
}

function listed(context: Context, reading: Told, service: string, gpu: number): Holders {
  const holders = reading.processes
    .filter((holder) => holder.gpu === gpu)
    .map((holder) => holderIn(context, reading, holder));
  const rank = ({ of }: MemoryHolder) => (of === service ? 0 : 1);
  return { holders: holders.sort((a, b) => rank(a) - rank(b) || (b.bytes ?? 0) - (a.bytes ?? 0)).slice(0, LISTED) };
}

function holderIn(context: Context, reading: Told, holder: GpuProcess): MemoryHolder {
  const of = ownerOf(context, reading, holder);
  const { pid, bytes, command } = holder;
  return {
    pid,
    bytes,
    ...(command === undefined ? {} : { command }),
    ...(of === undefined ? {} : { of }),
    ...(of === undefined && isContained(holder) ? { contained: true as const } : {}),
  };
}

/** Who moved memory while a step waited for it to come to rest; what they held last. */
export function moversOf(context: Context, movers: readonly Mover[]): Holders {
  const { told } = context.gauge;
  if (!tells(told)) return {};
  const holders = movers.map(({ holder, movedBytes }) => ({ ...holderIn(context, told, holder), movedBytes }));
  return { holders: holders.slice(0, LISTED) };
}
