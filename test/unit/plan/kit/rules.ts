/**
 * The rules of a safe switch, written down once more from the design and apart from the planner: which steps may overlap on
 * a GPU, what comes first, what memory each step holds when.
 */
import { asleepBytesOf, type Service } from '../../../../src/core/model.ts';
import type { Plan, Step } from '../../../../src/core/plan.ts';
import type { ServiceState } from '../../../../src/core/state.ts';
import type { Box } from './random-box.ts';

/** One letter a kind of step: Cold start, Sleep, Wake, End, Load. */
const OVERLAP = new Set(['SE', 'ES', 'WE', 'EW', 'LE', 'EL', 'EE', 'LL']);
const WHOLE_DEVICE = ['vllm', 'sglang', 'exec', 'none'];
const MOVES_ITS_OWN = ['vllm', 'sglang', 'http', 'exec', 'none'];

export interface Act {
  readonly id: string;
  readonly step: Step;
  readonly service: Service;
  readonly letter: 'C' | 'S' | 'W' | 'E' | 'L';
  readonly isTake: boolean;
  readonly seconds: number;
  /** On each of its GPUs: at most now, and in the end. */
  readonly from: number;
  readonly to: number;
  /** The plan says nothing of it. */
  readonly untold?: true;
  /** Left alone. */
  readonly bystands: boolean;
  /** What it needs on top while it is at work, if there is so much room in the end. */
  readonly over: number;
  /** Must be over before anything but an end begins there. */
  readonly restless: boolean;
  /** Has begun before we have. */
  readonly underWay: boolean;
}

/** The plan's steps, and what goes on beside them whether the plan says so or not. */
export function actsOf(plan: Plan, box: Box): readonly Act[] {
  const { manifest, now } = box;
  const told = plan.steps.map((step) => actOf(step, plan, manifest.services.get(step.service)!, box));
  const untold = [...manifest.services.values()].flatMap((service): Act[] => {
    const { state } = now.services.get(service.name)!;
    const isTold = told.some((act) => act.service === service && act.underWay);
    if (isTold || !['starting', 'waking', 'stopping'].includes(state.kind)) return [];
    const mine = told.find((act) => act.service === service);
    if (mine && state.kind !== 'stopping') return []; // its own step ends it
    const because = { code: 'under-way', from: state.kind } as const;
    const step: Step = {
      ...GHOST,
      id: `${service.name} ${state.kind}`,
      service: service.name,
      gpus: service.gpus,
      because,
    };
    const act = actOf(step, plan, service, box);
    return [{ ...act, untold: true, ...(mine ? { to: act.from } : {}) }];
  });
  const acts = [...told, ...untold];
  return acts.map((act) => ({
    ...act,
    over: Math.max(0, Math.min(act.over, ...act.step.gpus.map(spare(acts, plan, box)))),
  }));
}

const spare = (acts: readonly Act[], plan: Plan, box: Box) => (gpu: number) => {
  const room = roomOn(gpu, plan, box);
  if (room === undefined) return 0;
  const here = acts.filter((act) => act.step.gpus.includes(gpu));
  return room - here.reduce((sum, { from, to }) => sum + to - from, heldAtFirst(gpu, box));
};

const GHOST = {
  kind: 'await',
  after: [],
  deltaBytes: 0,
  startSeconds: 0,
  endSeconds: 20,
  usedBytesAfter: {},
} as const;

function actOf(step: Step, { steps }: Plan, service: Service, box: Box): Act {
  const { state } = box.now.services.get(step.service)!;
  const bystands = step.because.code === 'under-way';
  const ends = state.kind === 'stopping' && (bystands || step.kind === 'stop');
  const isTake = !bystands && step.kind !== 'sleep' && step.kind !== 'stop';
  const hasEnded = isTake && steps.some((other) => other !== step && other.service === step.service);
  const from = hasEnded ? 0 : atMost(service, box);
  return {
    id: step.id,
    step,
    service,
    over:
      isTake && step.kind !== 'await'
        ? Math.max(0, (service.memory.peakBytes ?? 0) - Math.max(awakeOf(service), from))
        : 0,
    letter: ends ? 'E' : letterOf(service, step),
    isTake,
    bystands,
    seconds: step.endSeconds - step.startSeconds,
    from,
    to:
      ends || step.kind === 'stop'
        ? 0
        : step.kind === 'sleep'
          ? asleepBytesOf(service)
          : Math.max(awakeOf(service), from),
    restless: step.kind === 'stop' && ['starting', 'waking', 'failed'].includes(state.kind),
    underWay: step.kind === 'await' || ends,
  };
}

/** The state that a step leads to. */
export function endOf({ kind, because }: Step): ServiceState {
  if (kind === 'sleep') return { kind: 'sleeping' };
  const ends = kind === 'stop' || (because.code === 'under-way' && because.from === 'stopping');
  return { kind: ends ? 'stopped' : 'awake' };
}

function letterOf({ engine }: Service, { kind }: Step): Act['letter'] {
  if (kind === 'stop') return 'E';
  if (kind === 'sleep') return MOVES_ITS_OWN.includes(engine) ? 'S' : 'E';
  if (kind === 'wake') return MOVES_ITS_OWN.includes(engine) ? 'W' : 'L';
  return WHOLE_DEVICE.includes(engine) ? 'C' : 'L';
}

export function awakeOf(service: Service): number {
  return Math.max(service.memory.awakeBytes ?? 0, asleepBytesOf(service));
}

/** On each of its GPUs now, at most. */
export function atMost(service: Service, { now, told }: Box): number {
  const { state } = now.services.get(service.name)!;
  if (state.kind === 'stopped' || (state.kind === 'failed' && state.why.code !== 'auto-restart')) return 0;
  const measured = told.get(service.name);
  const declared = state.kind === 'sleeping' ? asleepBytesOf(service) : awakeOf(service);
  if (measured === undefined) return declared;
  if (state.kind === 'sleeping') return measured;
  const hasAll = state.kind === 'awake' && !state.missing && ['vllm', 'sglang'].includes(service.engine);
  return Math.max(measured, hasAll ? asleepBytesOf(service) : declared);
}

export function shared(a: Act, b: Act): readonly number[] {
  return a.step.gpus.filter((gpu) => b.step.gpus.includes(gpu));
}

export function mayOverlap(a: Act, b: Act): boolean {
  if (a.service === b.service) return true;
  return shared(a, b).length === 0 || (a.underWay && b.underWay) || OVERLAP.has(a.letter + b.letter);
}

/** Cards whose figures can't be relied on: nothing takes there before all releases are done. */
export function blindGpus(plan: Plan, { now }: Box): ReadonlySet<number> {
  const { gpu } = now;
  const gpus = plan.steps.flatMap((step) => step.gpus);
  if (gpu.kind === 'unmeasured') return new Set(gpus);
  return new Set(plan.warnings.flatMap((warning) => (warning.code === 'card-too-full' ? [warning.gpu] : [])));
}

/** `later` may not begin while `earlier` is not over, in any order. */
export function comesAfter(later: Act, earlier: Act, blind: ReadonlySet<number>): boolean {
  const gpus = shared(later, earlier);
  if (gpus.length === 0 || later.underWay) return false;
  if (later.service === earlier.service) return later.isTake && !earlier.isTake && !earlier.untold; // which it waits for by itself
  if (earlier.underWay && !mayOverlap(later, earlier)) return true;
  if (earlier.restless && later.letter !== 'E') return true;
  const undeclared = [later, earlier].some(({ service }) => service.memory.awakeBytes === undefined);
  const unsure = !earlier.isTake || earlier.underWay;
  return later.isTake && unsure && (undeclared || gpus.some((gpu) => blind.has(gpu)));
}

/** Bytes that the services may use on a card beside what may be foreign; undefined = it can't be said. */
export function roomOn(gpu: number, plan: Plan, box: Box): number | undefined {
  const { manifest, now, told } = box;
  if (now.gpu.kind === 'unmeasured' || blindGpus(plan, box).has(gpu)) return undefined;
  const card = now.gpu.gpus[gpu]!;
  const certain = [...manifest.services.values()].reduce((sum, service) => {
    const { state } = now.services.get(service.name)!;
    const settled = state.kind === 'sleeping' || (state.kind === 'awake' && !state.missing);
    return service.gpus.includes(gpu) ? sum + (told.get(service.name) ?? (settled ? atMost(service, box) : 0)) : sum;
  }, 0);
  return card.totalBytes! - manifest.gpuReserveBytes - Math.max(0, card.usedBytes! - certain);
}

/** What the services without a step, and those whose step has not changed anything yet, hold at most. */
export function heldAtFirst(gpu: number, box: Box): number {
  return [...box.manifest.services.values()]
    .filter((service) => service.gpus.includes(gpu))
    .reduce((sum, service) => sum + atMost(service, box), 0);
}
