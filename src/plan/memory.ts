/** Who holds how much of each card, as far as it is declared, and whether a target fits. Pure. */
import type { GpuReading } from '../core/facts.ts';
import { asleepBytesOf, type Manifest, type Service } from '../core/model.ts';
import type { Wanted } from '../core/plan.ts';
import type { Claim, Problem } from '../core/problem.ts';
import { isDown, type Observation, type ServiceState } from '../core/state.ts';
import type { WantedStates } from './wanted.ts';

/** Declared bytes a service holds on each of its GPUs in a state; it may hold more while it changes. */
export function heldBytes(service: Service, state: ServiceState): number {
  if (isDown(state)) return 0;
  if (state.kind === 'sleeping') return asleepBytesOf(service);
  return service.memory.awakeBytes ?? 0;
}

/** Bytes of a card, when the GPU tool tells them. */
export function cardBytes(gpu: GpuReading, index: number): number | undefined {
  if (gpu.kind === 'unmeasured') return undefined;
  return gpu.gpus.find((card) => card.index === index)?.totalBytes ?? undefined;
}

/** All GPUs that the manifest names, ascending. */
export function gpusOf(manifest: Manifest): readonly number[] {
  return [...new Set([...manifest.services.values()].flatMap((service) => service.gpus))].sort((a, b) => a - b);
}

function claimIn(service: Service, wanted: Wanted, state: ServiceState): Claim | undefined {
  const claim = (as: Claim['state'], bytes = 0) =>
    bytes > 0 ? { service: service.name, state: as, bytes } : undefined;
  switch (wanted.kind) {
    case 'awake':
      return claim('awake', service.memory.awakeBytes);
    case 'resting':
      return isDown(state) ? undefined : claim('asleep', asleepBytesOf(service));
    case 'stopped':
      return undefined;
    case 'any':
      return claim(state.kind === 'sleeping' ? 'asleep' : 'awake', heldBytes(service, state));
  }
}

function claimsOn(gpu: number, manifest: Manifest, wanted: WantedStates, now: Observation): readonly Claim[] {
  return [...manifest.services.values()].flatMap((service) => {
    const want = wanted.get(service.name);
    const seen = now.services.get(service.name);
    const claim = want && seen && service.gpus.includes(gpu) ? claimIn(service, want, seen.state) : undefined;
    return claim ? [claim] : [];
  });
}

/** Wanted states that fit, with the sleepers that had to give way; or what is in the way. */
export interface Fit {
  readonly wanted: WantedStates;
  /** Service → the GPU it must leave. */
  readonly demoted: ReadonlyMap<string, number>;
  readonly problems: readonly Problem[];
}

/**
 * Makes the target fit each card: a sleeper gives way (stops) before the mode is refused, the smallest that suffices
 * first, a warm one last. What a card holds is only known where the GPU tool tells it.
 */
export function makeFit(manifest: Manifest, target: WantedStates, now: Observation): Fit {
  const wanted = new Map(target);
  const demoted = new Map<string, number>();
  const problems: Problem[] = [];
  for (const gpu of gpusOf(manifest)) {
    const totalBytes = cardBytes(now.gpu, gpu);
    if (totalBytes === undefined) continue;
    const room = totalBytes - manifest.gpuReserveBytes;
    for (;;) {
      const claims = claimsOn(gpu, manifest, wanted, now);
      const excess = claims.reduce((sum, claim) => sum + claim.bytes, 0) - room;
      if (excess <= 0) break;
      const victim = sleeperToStop(claims, wanted, excess);
      if (victim === undefined) {
        problems.push({ code: 'does-not-fit', gpu, totalBytes, reserveBytes: manifest.gpuReserveBytes, claims });
        break;
      }
      wanted.set(victim, { kind: 'stopped' });
      demoted.set(victim, gpu);
    }
  }
  return { wanted, demoted, problems };
}

function sleeperToStop(claims: readonly Claim[], wanted: WantedStates, excess: number): string | undefined {
  const isWarm = (service: string) => {
    const want = wanted.get(service);
    return want?.kind === 'resting' && want.warm === true;
  };
  const sleepers = claims.filter((claim) => wanted.get(claim.service)?.kind === 'resting');
  const order = [...sleepers].sort(
    (a, b) =>
      Number(isWarm(a.service)) - Number(isWarm(b.service)) ||
      Number(b.bytes >= excess) - Number(a.bytes >= excess) ||
      (a.bytes >= excess ? a.bytes - b.bytes : b.bytes - a.bytes),
  );
  return order[0]?.service;
}

/** GPUs that a wanted service names and the machine does not have. */
export function missingGpus(manifest: Manifest, wanted: WantedStates, gpu: GpuReading): readonly Problem[] {
  if (gpu.kind === 'unmeasured') return [];
  const gpus = gpu.gpus.map((card) => card.index);
  return [...manifest.services.values()]
    .filter((service) => wanted.get(service.name)?.kind === 'awake')
    .flatMap((service) =>
      service.gpus
        .filter((index) => !gpus.includes(index))
        .map((index) => ({ code: 'no-such-gpu' as const, service: service.name, gpu: index, gpus })),
    );
}
