/** What a service holds on each of its GPUs, and in host RAM, as declared. Pure. */
import { cardOf } from '../core/cards.ts';
import type { GpuReading } from '../core/facts.ts';
import { asleepBytesOf, type Manifest, type Service } from '../core/model.ts';
import { isDown, type ServiceState } from '../core/state.ts';
import { weightsOf } from './costs.ts';
import type { Move } from './step-for.ts';

/** Nothing holds less awake than asleep, whatever is declared. */
export function awakeBytesOf(service: Service): number {
  return Math.max(service.memory.awakeBytes ?? 0, asleepBytesOf(service));
}

/** The most it holds on each of its GPUs; what is on its way, or broken, may hold as much as if it were awake. */
export function heldBytes(service: Service, state: ServiceState): number {
  if (isDown(state)) return 0;
  return state.kind === 'sleeping' ? asleepBytesOf(service) : awakeBytesOf(service);
}

/** The least: only what is awake or asleep holds something for certain. */
export function surelyHeldBytes(service: Service, state: ServiceState): number {
  if (state.kind === 'sleeping') return asleepBytesOf(service);
  return state.kind === 'awake' && !state.missing ? awakeBytesOf(service) : 0;
}

export function bytesAfter(service: Service, { kind }: Pick<Move, 'kind'>): number {
  if (kind === 'stop') return 0;
  return kind === 'sleep' ? asleepBytesOf(service) : awakeBytesOf(service);
}

/** Pinned memory is handed out in powers of two: a backup may hold twice its size. */
const PINNED_FACTOR = 2;

/** Host RAM that it will hold while it sleeps so: as declared, else the most that a level-1 backup of its weights takes. */
export function backupBytes(service: Service, move: Move): number {
  if (move.kind !== 'sleep' || service.engine !== 'vllm' || move.level === 2) return 0;
  return service.memory.hostBytes ?? PINNED_FACTOR * weightsOf(service) * service.gpus.length;
}

/** All GPUs that the manifest names, ascending. */
export function gpusOf(manifest: Manifest): readonly number[] {
  return [...new Set([...manifest.services.values()].flatMap((service) => service.gpus))].sort((a, b) => a - b);
}

/** Bytes of a card, when the GPU tool tells them. */
export function cardBytes(gpu: GpuReading, index: number): number | undefined {
  return cardOf(gpu, index)?.totalBytes ?? undefined;
}

/** Bytes of a card in use, when the GPU tool tells them. */
export function usedBytes(gpu: GpuReading, index: number): number | undefined {
  return cardOf(gpu, index)?.usedBytes ?? undefined;
}
