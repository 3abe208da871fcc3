/** Puts what was measured before where nothing is declared, so that room is planned for it too. Pure. */
import { type KnownFigures, type Learned, learned, type Measure } from '../core/figures.ts';
import type { DeclaredMemory, Manifest, Service } from '../core/model.ts';
import type { Step } from '../core/plan.ts';

/** Any level: the declared figure is for all of them too. */
const ASLEEP: readonly Measure[] = ['asleep-bytes', 'asleep-1-bytes', 'asleep-2-bytes'];

/** What is declared stays as it is. */
export function withLearned(manifest: Manifest, figures: KnownFigures): Manifest {
  if (figures.size === 0) return manifest;
  const services = [...manifest.services].map(([name, service]): [string, Service] => {
    const known = figures.get(name)?.learned;
    return [name, known ? { ...service, memory: completed(service.memory, known) } : service];
  });
  return { ...manifest, services: new Map(services) };
}

function completed(declared: DeclaredMemory, known: Learned): DeclaredMemory {
  const hostBytes = learned(known, 'backup-bytes');
  const backup = hostBytes === undefined ? {} : { hostBytes };
  const awakeBytes = learned(known, 'awake-bytes');
  if (awakeBytes === undefined && declared.awakeBytes === undefined) return { ...backup, ...declared };
  const peakBytes = learned(known, 'peak-bytes');
  const asleep = ASLEEP.flatMap((measure) => learned(known, measure) ?? []);
  return {
    ...(awakeBytes === undefined || declared.awakeBytes !== undefined ? {} : { awakeBytes, isLearned: true }),
    ...(asleep.length === 0 ? {} : { asleepBytes: Math.max(...asleep) }),
    ...(peakBytes === undefined ? {} : { peakBytes }),
    ...backup,
    ...declared,
  };
}

/** For a step of the service. */
export function learnedBytes({ memory }: Service): Pick<Step, 'learnedBytes'> {
  return memory.isLearned && memory.awakeBytes !== undefined ? { learnedBytes: memory.awakeBytes } : {};
}

/** What it holds awake is declared: then it can be relied on, as far as that goes. */
export function isDeclared({ memory }: Service): boolean {
  return memory.awakeBytes !== undefined && !memory.isLearned;
}
