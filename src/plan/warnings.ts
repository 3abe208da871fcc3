/** What a person should know of a plan that is made all the same. Pure. */
import { cardOf } from '../core/cards.ts';
import type { Why } from '../core/facts.ts';
import type { Manifest, Service } from '../core/model.ts';
import type { PlanWarning } from '../core/plan.ts';
import type { Observation } from '../core/state.ts';
import type { Card } from './card.ts';
import { isUnsure } from './fit.ts';
import { cardSize, gpusOf } from './held.ts';
import type { OrderedStep } from './order.ts';
import type { WantedStates } from './wanted.ts';

export function warningsFor(
  manifest: Manifest,
  now: Observation,
  steps: readonly OrderedStep[],
  wanted: WantedStates,
): readonly PlanWarning[] {
  const warnings: PlanWarning[] = [];
  const why = whyDeclared(manifest, now);
  if (why) {
    const remembered = gpusOf(manifest).filter((gpu) => cardSize(now, gpu)?.unmeasured);
    warnings.push({ code: 'memory-declared', why, ...(remembered.length > 0 ? { remembered } : {}) });
  }
  for (const { service: name, kind, because } of steps) {
    const service = manifest.services.get(name);
    if (!service || because.code === 'under-way') continue;
    if (kind === 'sleep') warnings.push(...avoided(service, now));
    if (wanted.get(name)?.kind === 'awake') warnings.push(...unsaid(service));
    if (now.services.get(name)?.unit?.needsReload)
      warnings.push({ code: 'unit-changed-on-disk', service: name, unit: service.unit });
  }
  return warnings;
}

/** Undefined: every card's size is measured. */
function whyDeclared(manifest: Manifest, now: Observation): Why | undefined {
  if (now.gpu.kind === 'unmeasured') return now.gpu.why;
  const isTold = (gpu: number) => cardOf(now.gpu, gpu)?.totalBytes != null;
  return gpusOf(manifest).every(isTold) ? undefined : { code: 'not-told' };
}

/** Cards on which the target fits only if what is released holds more than it declares. */
export function tooFull(cards: readonly Card[]): readonly PlanWarning[] {
  return cards.filter(isUnsure).map(({ gpu, totalBytes, neededBytes, atMostForeignBytes }) => ({
    code: 'card-too-full',
    gpu,
    peakBytes: neededBytes + atMostForeignBytes,
    totalBytes,
  }));
}

/** The level it is meant to sleep at is known to lie, or not to suit it. */
function avoided(service: Service, now: Observation): PlanWarning[] {
  const nap = now.services.get(service.name)?.nap;
  const bar = nap?.can
    ? nap.barred?.find(({ level }) => service.engine === 'vllm' && level === service.sleep.level)
    : undefined;
  return bar ? [{ code: 'level-avoided', service: service.name, ...bar }] : [];
}

function unsaid({ name, gpus, memory: { awakeBytes, isLearned } }: Service): PlanWarning[] {
  if (gpus.length === 0) return [];
  if (awakeBytes === undefined) return [{ code: 'memory-undeclared', service: name }];
  return isLearned ? [{ code: 'memory-learned', service: name, bytes: awakeBytes }] : [];
}
