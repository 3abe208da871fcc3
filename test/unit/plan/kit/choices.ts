/** Which services may sleep or must stop for a target to fit: every choice, tried one by one. */
import { asleepBytesOf, type Service, type SleepLevel } from '../../../../src/core/model.ts';
import type { Wanted } from '../../../../src/core/plan.ts';
import type { ServiceState } from '../../../../src/core/state.ts';
import type { Box } from './random-box.ts';
import { atMost, awakeOf } from './rules.ts';

/** What a service may be in the end. */
export type End = 'awake' | 'asleep' | 'stopped' | 'as it is';

/** What becomes of a service that need not make room. */
export function wishOf(service: Service, box: Box): End {
  const { state, nap } = box.now.services.get(service.name)!;
  const want = box.wanted.get(service.name)!;
  if (want.kind === 'awake') return 'awake';
  if (want.kind === 'any') return 'as it is';
  if (want.kind === 'stopped' || isDown(state)) return 'stopped';
  if (state.kind === 'sleeping') return 'asleep';
  return state.kind === 'awake' && nap.can ? 'asleep' : 'stopped';
}

const isDown = (state: ServiceState) =>
  state.kind === 'stopped' || (state.kind === 'failed' && state.why.code !== 'auto-restart');

function bytesIn(end: End, service: Service, box: Box): number {
  const { state } = box.now.services.get(service.name)!;
  const held = atMost(service, box);
  if (end === 'stopped') return 0;
  if (end === 'as it is') return state.kind === 'stopping' ? 0 : held;
  if (end === 'asleep') return state.kind === 'sleeping' ? held : asleepBytesOf(service);
  return state.kind === 'awake' && !state.missing ? held : Math.max(awakeOf(service), held);
}

/** Something is to awake on it. */
export function isTakenFrom(gpu: number, { manifest, now, wanted }: Box): boolean {
  return [...manifest.services.values()].some((service) => {
    const { state } = now.services.get(service.name)!;
    const awake = state.kind === 'awake' && !state.missing;
    return service.gpus.includes(gpu) && wanted.get(service.name)!.kind === 'awake' && !awake;
  });
}

export function fitsOn(gpu: number, ends: ReadonlyMap<string, End>, box: Box, foreignBytes: number): boolean {
  const { manifest, now } = box;
  if (now.gpu.kind === 'unmeasured' || !isTakenFrom(gpu, box)) return true;
  const held = [...manifest.services.values()]
    .filter((service) => service.gpus.includes(gpu))
    .reduce((sum, each) => sum + bytesIn(ends.get(each.name)!, each, box), 0);
  return held + foreignBytes + manifest.gpuReserveBytes <= now.gpu.gpus[gpu]!.totalBytes!;
}

/** All ends that the sleepers may come to, each asleep or stopped. */
export function* allEnds(box: Box): Generator<ReadonlyMap<string, End>> {
  const wishes = new Map([...box.manifest.services.values()].map((each) => [each.name, wishOf(each, box)]));
  const sleepers = [...wishes].filter(([, end]) => end === 'asleep').map(([name]) => name);
  for (let choice = 0; choice < 2 ** sleepers.length; choice++) {
    const ends = new Map(wishes);
    sleepers.forEach((name, i) => {
      if (choice & (1 << i)) ends.set(name, 'stopped');
    });
    yield ends;
  }
}

/** The level that a vLLM which falls asleep is put to, and the host RAM that its backup takes there. */
export function backupOf(service: Service, box: Box, want: Wanted = box.wanted.get(service.name)!): number {
  const { state, nap } = box.now.services.get(service.name)!;
  if (service.engine !== 'vllm' || state.kind !== 'awake' || !nap.can || want.kind !== 'resting') return 0;
  const asked: SleepLevel = want.level ?? service.sleep.level;
  const level = nap.levels.includes(asked) ? asked : nap.levels[0];
  if (level === 2 || box.figures.get(service.name)?.pinned) return 0;
  const weights = (service.memory.awakeBytes ?? 5e9) * 0.6 * service.gpus.length;
  return service.memory.hostBytes ?? 2 * weights;
}
