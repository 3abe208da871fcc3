/** Random boxes from a seed: cards, services in any state, a mode, foreign memory, and the truth that the planner can't see. */
import type { NapAbility } from '../../../../src/core/facts.ts';
import { type Known, type KnownFigures, MEASURES } from '../../../../src/core/figures.ts';
import type { IdlePolicy, Manifest, Mode, Service } from '../../../../src/core/model.ts';
import { asleepBytesOf } from '../../../../src/core/model.ts';
import type { Observation, ServiceState } from '../../../../src/core/state.ts';
import { GIB } from '../../../../src/core/units.ts';
import { cold, type WantedStates, wantedInMode, withoutFailing } from '../../../../src/plan/wanted.ts';
import {
  CAN_SLEEP,
  comfyui,
  http,
  llamacpp,
  manifest,
  mode,
  NO_SLEEP,
  none,
  seen,
  sglang,
  vllm,
} from '../../../fakes/build.ts';

export interface Random {
  /** From 0 to below 1. */
  next(): number;
  /** Both included. */
  int(from: number, to: number): number;
  chance(share: number): boolean;
  pick<T>(of: readonly T[]): T;
}

/** The same numbers for the same seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return { next, int, chance: (share) => next() < share, pick: (of) => of[int(0, of.length - 1)]! };
}

export interface Box {
  /** What is declared. */
  readonly given: Manifest;
  /** And learned. */
  readonly manifest: Manifest;
  readonly now: Observation;
  readonly target: Mode;
  readonly wanted: WantedStates;
  /** Seconds that were measured before: of some services some steps. */
  readonly figures: KnownFigures;
  /** Bytes that belong to no service, by GPU. */
  readonly foreign: readonly number[];
  /** Bytes on each of its GPUs of those services that the tool tells of. */
  readonly told: ReadonlyMap<string, number>;
}

const STATES: readonly ServiceState[] = [
  { kind: 'awake' },
  { kind: 'awake' },
  { kind: 'stopped' },
  { kind: 'stopped' },
  { kind: 'sleeping', level: 1 },
  { kind: 'sleeping', level: 2 },
  { kind: 'sleeping' },
  { kind: 'awake', missing: ['m'] },
  { kind: 'starting' },
  { kind: 'starting' },
  { kind: 'waking' },
  { kind: 'stopping' },
  { kind: 'stopping' },
  { kind: 'failed', why: { code: 'exit-code' } },
  { kind: 'failed', why: { code: 'auto-restart' } },
  { kind: 'unhealthy', why: { code: 'no-answer' } },
  { kind: 'unknown', why: { code: 'release-unknown' } },
];
/** What most boxes hold: the rest of the states are for the others. */
const SETTLED = 7;
const NAPS: readonly NapAbility[] = [
  CAN_SLEEP,
  CAN_SLEEP,
  { can: true, levels: [1] },
  { can: true, levels: [2] },
  NO_SLEEP,
];
const ENGINES = [vllm, vllm, sglang, llamacpp, comfyui, http, none] as const;

/** `movers`: about so many services at most. */
export function randomBox(random: Random, most = 12): Box {
  const cards = random.int(1, random.chance(0.6) ? 2 : 8);
  const size = random.pick([24, 24, 48, 80]);
  const settled = random.chance(0.6);
  const tight = random.chance(0.4);
  const services = Array.from({ length: random.int(2, most) }, (_, i) => {
    const gpus = gpusFor(random, cards);
    const awake = random.int(2, Math.ceil(size * (random.chance(tight ? 0.5 : 0.2) ? 1 : 0.5))) / 2;
    const memory = {
      ...(random.chance(0.04)
        ? {}
        : {
            awakeBytes: awake * GIB,
            ...(random.chance(0.06) ? LEARNED : {}),
            ...(random.chance(0.2) ? { peakBytes: Math.floor(awake * (1 + random.next() / 2) * GIB) } : {}),
          }),
      ...(random.chance(0.6) ? { asleepBytes: (random.int(0, tight ? 12 : 4) / 2) * GIB } : {}),
      ...(random.chance(0.3) ? { hostBytes: random.int(1, 30) * GIB } : {}),
    };
    const idle = random.pick<IdlePolicy>(['sleep', 'sleep', 'sleep', 'stop', 'keep', 'keep']);
    return random.pick(ENGINES)(`s${i}`, { gpus, memory, idle });
  });
  const place = new Map(services.map(({ name }) => [name, random.next()]));
  const among = (from: number, to: number) =>
    services.map(({ name }) => name).filter((name) => place.get(name)! >= from && place.get(name)! < to);
  const others = random.chance(0.3) ? { others: random.pick<IdlePolicy>(['sleep', 'stop', 'keep']) } : {};
  const target = mode('target', among(0, tight ? 0.6 : 0.35), { warm: among(tight ? 0.6 : 0.35, 0.75), ...others });
  const of = manifest(services, [target]);
  const given = manifest(services.map(declared), [target]);

  const states = new Map(services.map(({ name }) => [name, random.pick(settled ? STATES.slice(0, SETTLED) : STATES)]));
  const attributed = random.chance(0.4);
  const listed = new Set<Service>(services.filter(() => attributed && random.chance(0.9)));
  const heldBy = (service: Service) => {
    const bytes = heldNow(service, states.get(service.name)!, random);
    return listed.has(service) ? Math.floor(bytes * random.pick([1, 0.6 + 0.6 * random.next()])) : bytes;
  };
  const held = new Map<Service, number>(services.map((service) => [service, heldBy(service)]));
  const foreign: number[] = [];
  const gpus = Array.from({ length: cards }, (_, index) => {
    const ours = () => services.reduce((sum, each) => sum + (each.gpus.includes(index) ? held.get(each)! : 0), 0);
    // A box that could not be: somebody is not there after all.
    for (const each of services)
      if (each.gpus.includes(index) && ours() > size * GIB) {
        states.set(each.name, { kind: 'stopped' });
        held.set(each, 0);
      }
    foreign.push(random.chance(0.3) ? Math.floor(random.next() * Math.min(size * GIB - ours(), (size * GIB) / 2)) : 0);
    return { index, name: 'card', uuid: `GPU-${index}`, totalBytes: size * GIB };
  });
  const measured = gpus.map((card) => {
    const ours = services.reduce((sum, each) => sum + (each.gpus.includes(card.index) ? held.get(each)! : 0), 0);
    const usedBytes = ours + foreign[card.index]!;
    return { ...card, usedBytes, freeBytes: card.totalBytes - usedBytes };
  });
  const up = [...listed].filter((each) => held.get(each)! > 0);
  const processes = [
    ...up.flatMap((each, i) =>
      each.gpus.map((gpu) => ({ gpu, pid: 100 + i, bytes: held.get(each)!, cgroup: `${APP}/${each.unit}` })),
    ),
    ...foreign.flatMap((bytes, gpu) => {
      if (bytes === 0) return [];
      return [{ gpu, pid: 1, bytes, ...(random.chance(0.7) ? { cgroup: `${APP}/x.scope` } : {}) }];
    }),
  ];
  const now: Observation = {
    atMs: 0,
    services: new Map(services.map(({ name }) => [name, seen(name, states.get(name)!, { nap: random.pick(NAPS) })])),
    gpu: random.chance(0.04)
      ? { kind: 'unmeasured', why: { code: 'no-tool' } }
      : { kind: 'measured', gpus: measured, ...(attributed ? { processes } : {}) },
    ...(random.chance(0.5) ? { hostMemory: { totalBytes: 128 * GIB, availableBytes: random.int(1, 80) * GIB } } : {}),
  };
  const told = new Map(now.gpu.kind === 'measured' ? up.map((each) => [each.name, held.get(each)!]) : []);
  const wanted = withoutFailing(wantedInMode(of, target), of, now);
  const chosen = random.chance(0.15) ? cold(wanted, now) : wanted;
  const figures = new Map(services.map((service) => [service.name, knownBy(service, random)]));
  return { given, manifest: of, now, target, wanted: chosen, figures, foreign, told };
}

const APP = '/user.slice/user-1000.slice/user@1000.service/app.slice';
const SECONDS = MEASURES.filter((measure) => measure.endsWith('-seconds'));

const LEARNED = { isLearned: true } as const;

function declared(service: Service): Service {
  const { awakeBytes, isLearned, peakBytes: _, ...rest } = service.memory;
  const memory = isLearned || awakeBytes === undefined ? rest : { ...rest, awakeBytes };
  return { ...service, memory };
}

function knownBy({ memory }: Service, random: Random): Known {
  const { awakeBytes, peakBytes } = memory;
  const bytes = {
    ...(memory.isLearned ? { 'awake-bytes': Array(3).fill(awakeBytes) } : {}),
    ...(peakBytes === undefined ? {} : { 'peak-bytes': Array(3).fill(peakBytes) }),
  };
  if (random.chance(0.5)) return { learned: { samples: bytes } };
  const some = SECONDS.filter(() => random.chance(0.6));
  const samples = Object.fromEntries(some.map((measure) => [measure, Array(3).fill(random.int(1, 400) / 10)]));
  const past = random.pick([{ neverSlept: true }, { neverSlept: true }, { pinned: true }, {}, {}] as const);
  return { learned: { samples: { ...samples, ...bytes } }, ...past };
}

/** Mostly one; some span two, four or all, as tensor parallelism does; some have none. */
function gpusFor(random: Random, cards: number): readonly number[] {
  if (random.chance(0.04)) return [];
  const width = Math.min(cards, random.pick([1, 1, 1, 1, 2, 2, 4, cards]));
  const first = random.int(0, cards - width);
  return Array.from({ length: width }, (_, i) => first + i);
}

/** What is awake or asleep holds what it declares; what is in between, anything up to what it holds awake. */
function heldNow(service: Service, state: ServiceState, random: Random): number {
  const awake = Math.max(service.memory.awakeBytes ?? 0, asleepBytesOf(service));
  switch (state.kind) {
    case 'awake':
      return state.missing ? Math.floor(awake * random.next()) : awake;
    case 'sleeping':
      return asleepBytesOf(service);
    case 'stopped':
      return 0;
    case 'failed':
      return state.why.code === 'auto-restart' ? Math.floor(awake * random.next()) : 0;
    default:
      return Math.floor(awake * random.next());
  }
}
