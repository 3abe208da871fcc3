/** vLLM's --gpu-memory-utilization is a part of the whole card, whatever else is on it: the sums. Pure. */
import { measuredBytes } from '../../core/attribution.ts';
import { cardOf } from '../../core/cards.ts';
import { learned } from '../../core/figures.ts';
import { asleepBytesOf, type Mode, type Service } from '../../core/model.ts';
import { formatBytes, GIB } from '../../core/units.ts';
import { awakeBytesOf } from '../../plan/held.ts';
import { type Check, type Finding, found, ofEach, type Repair, type Scene, type Subject } from './finding.ts';
import { sized } from './memory.ts';
import { argument, partOf } from './start.ts';

export const shareChecks: Check = (scene) => [...alone(scene), ...together(scene)];

/** Of the first card that it uses and that is measured. */
function totalOf({ now }: Scene, { gpus }: Service): number | undefined {
  return gpus.map((gpu) => cardOf(now.gpu, gpu)?.totalBytes ?? undefined).find((total) => total !== undefined);
}

const alone = ofEach((subject) => {
  const { service, settings, scene } = subject;
  const part = partOf(service, settings);
  const total = totalOf(scene, service);
  if (part === undefined || total === undefined) return [];
  return [...beside(subject, part, total), ...declared(subject, part, total)];
});

/** What it holds outside its part: context and graphs. */
const BESIDES_BYTES = GIB;

/** As long as nobody has measured it: then that counts. */
function declared({ service, scene }: Subject, part: number, total: number): readonly Finding[] {
  const { awakeBytes } = service.memory;
  const past = scene.learned.get(service.name);
  const isMeasured = measuredBytes(scene.held, service.name) !== undefined || (past && learned(past, 'awake-bytes'));
  const takes = part * total;
  if (isMeasured || awakeBytes === undefined) return [];
  if (takes <= awakeBytes * 1.1 && takes + BESIDES_BYTES >= awakeBytes * 0.9) return [];
  const detail = `${part} of ${formatBytes(total)} is ${formatBytes(takes)}, declared ${formatBytes(awakeBytes)}`;
  const at = `services.${service.name}.memory.awake`;
  return [
    found('note', service, { code: 'utilization-declared', detail }, { kind: 'manifest', at, value: sized(takes) }),
  ];
}

/** What vLLM and the graphs need outside of all parts. */
const MOST = 0.9;

/** util <= 0.9 - (n-1)*s/T: beside sleepers that keep s each, on a card of T. */
function beside(subject: Subject, part: number, total: number): readonly Finding[] {
  const { service, scene } = subject;
  const sleepers = [...scene.manifest.services.values()].filter(
    (other) =>
      other !== service &&
      other.idle === 'sleep' &&
      other.gpus.some((gpu) => service.gpus.includes(gpu)) &&
      sleeps(other),
  );
  const kept = sleepers.reduce((sum, other) => sum + asleepBytesOf(other), 0);
  const most = Math.floor((MOST - kept / total) * 100) / 100;
  if (sleepers.length === 0 || part <= most) return [];
  const detail = `${part}; ${sleepers.length} sleepers keep ${formatBytes(kept)} of ${formatBytes(total)}: at most ${most}`;
  const repair = most > 0 ? argument(subject, 'utilization', '--gpu-memory-utilization', String(most)) : undefined;
  return [found('note', service, { code: 'utilization-beside-sleepers', detail }, repair)];
}

const sleeps = (service: Service): boolean => service.engine !== 'none' && asleepBytesOf(service) > 0;

/** A vLLM starts only where its part of the card is free: beside the other members of a mode, whichever is the last. */
function together(scene: Scene): readonly Finding[] {
  const cards = scene.now.gpu.kind === 'measured' ? scene.now.gpu.gpus : [];
  const tight = cards.flatMap(({ index, totalBytes }) =>
    totalBytes === null
      ? []
      : [...scene.manifest.modes.values()].flatMap((mode) => tightIn(scene, mode, index, totalBytes)),
  );
  // One a service: in the first of the modes.
  return tight.filter(({ services: [a] }, i) => tight.findIndex(({ services: [b] }) => a === b) === i);
}

function tightIn(scene: Scene, mode: Mode, gpu: number, total: number): readonly Finding[] {
  const { manifest, settings } = scene;
  const here = (names: readonly string[]) =>
    names.flatMap((name) => manifest.services.get(name) ?? []).filter(({ gpus }) => gpus.includes(gpu));
  const holds = [
    ...here(mode.services).map((service) => ({ service, bytes: awakeBytesOf(service) })),
    ...here(mode.warm).map((service) => ({ service, bytes: asleepBytesOf(service) })),
  ];
  return here(mode.services).flatMap((service) => {
    const part = partOf(service, settings.get(service.name));
    const others = holds.filter((other) => other.service !== service && other.bytes > 0);
    const held = others.reduce((sum, { bytes }) => sum + bytes, 0);
    if (part === undefined || others.length === 0 || part * total + held <= total) return [];
    const beside = others.map((other) => `${other.service.name} ${formatBytes(other.bytes)}`).join(', ');
    const detail = `GPU ${gpu}, mode ${mode.name}: ${part} of ${formatBytes(total)} beside ${beside}`;
    const most = Math.floor((1 - held / total) * 100) / 100;
    return [found('warning', service, { code: 'utilization-sum', detail }, lowered(scene, service, most))];
  });
}

/** Undefined where nothing would be left. */
function lowered(scene: Scene, service: Service, part: number): Repair | undefined {
  const settings = scene.settings.get(service.name);
  if (!settings || part <= 0) return undefined;
  return argument({ service, settings, scene }, 'utilization', '--gpu-memory-utilization', String(part));
}
