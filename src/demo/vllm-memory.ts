/** A simulated vLLM's GPU memory: what it takes when it starts and wakes, and what disturbs it. */
import type { CardClient } from './card-client.ts';
import type { Disturbance } from './ledger.ts';

export interface VllmMemory {
  readonly card?: CardClient | undefined;
  readonly gpus: readonly number[];
  readonly awakeBytes: number;
  readonly residualBytes: number;
  /** The part of the awake memory that is weights; the rest is KV cache and residual. */
  readonly weightsBytes: number;
  /** `--gpu-memory-utilization`: the share of the whole card that must be free at start. */
  readonly utilization?: number | undefined;
}

const GIB = 2 ** 30;
const gib = (bytes: number): string => (bytes / GIB).toFixed(2);

/** What makes a process die while it starts: the line it logs last. */
export class StartFailure extends Error {}

/**
 * vLLM's cold start: the gate on free memory, weights, then profiling and KV cache.
 * Throws StartFailure with vLLM's own words.
 */
export async function coldStart(memory: VllmMemory, load: () => Promise<void>): Promise<void> {
  const { card, gpus, awakeBytes, weightsBytes } = memory;
  if (!card) return load();
  const window = await card.begin('start', gpus);
  const { gpus: cards } = await card.read();
  for (const gpu of gpus) gate(memory, gpu, cards[gpu]?.freeBytes ?? 0, cards[gpu]?.totalBytes ?? 0);
  await take(card, gpus, weightsBytes);
  await load();
  await take(card, gpus, awakeBytes - weightsBytes);
  const moved = (await window.end()).find(({ kind }) => kind === 'grew' || kind === 'shrank');
  if (moved)
    throw new StartFailure(
      'AssertionError: Error in memory profiling. Initial free memory and current free memory differ: ' +
        'other processes sharing the same container must not release or take GPU memory while vLLM is profiling.',
    );
}

function gate({ awakeBytes, utilization }: VllmMemory, gpu: number, freeBytes: number, totalBytes: number): void {
  const share = utilization ?? awakeBytes / totalBytes;
  if (freeBytes >= share * totalBytes) return;
  throw new StartFailure(
    `ValueError: Free memory on device cuda:${gpu} (${gib(freeBytes)}/${gib(totalBytes)} GiB) on startup is less than ` +
      `desired GPU memory utilization (${share.toFixed(2)}, ${gib(share * totalBytes)} GiB). Decrease GPU memory ` +
      'utilization or reduce GPU memory used by other processes.',
  );
}

/** Takes as much on every GPU, or on none: throws StartFailure with CUDA's words when one of them is too full. */
export async function take(
  card: Pick<CardClient, 'alloc' | 'free'>,
  gpus: readonly number[],
  bytes: number,
): Promise<void> {
  for (const [taken, gpu] of gpus.entries()) {
    const { granted, freeBytes, totalBytes } = await card.alloc(gpu, bytes);
    if (granted) continue;
    await giveBack(card, gpus.slice(0, taken), bytes);
    throw new StartFailure(
      `torch.OutOfMemoryError: CUDA out of memory. Tried to allocate ${gib(bytes)} GiB. GPU ${gpu} has a total ` +
        `capacity of ${gib(totalBytes)} GiB of which ${gib(freeBytes)} GiB is free.`,
    );
  }
}

/** Gives back as much on every GPU. */
export async function giveBack(card: Pick<CardClient, 'free'>, gpus: readonly number[], bytes: number): Promise<void> {
  for (const gpu of gpus) await card.free(gpu, bytes);
}

/** Why vLLM's own check fails after a sleep beside a busy neighbour; undefined = it holds. */
export function sleepFault(seen: readonly Disturbance[]): string | undefined {
  if (seen.some(({ kind }) => kind === 'grew' || kind === 'load'))
    return 'AssertionError: Memory usage increased after sleeping.';
  return cudaFault(seen);
}

/** Two processes that map and unmap memory of one GPU at once: a reported crash (vllm#36753). */
export function cudaFault(seen: readonly Disturbance[]): string | undefined {
  return seen.some(({ kind }) => kind === 'sleep' || kind === 'wake' || kind === 'load' || kind === 'start')
    ? 'CUDA Error: invalid argument at /workspace/csrc/cumem_allocator.cpp:163'
    : undefined;
}
