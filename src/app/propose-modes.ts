/** The modes of a drafted manifest: what runs together now, what starts together at boot, and each other service alone. Pure. */
import { OFF } from '../core/model.ts';
import { address } from '../manifest/address.ts';
import type { Proposal } from './propose.ts';

export interface ProposedMode {
  readonly name: string;
  readonly why: 'now' | 'boot' | 'alone';
  readonly services: readonly string[];
  readonly warm: readonly string[];
  /** They run too, and can't be in it: somebody else of the mode has their port. */
  readonly leftOut: readonly { readonly name: string; readonly of: string }[];
}

/** `cardBytes`: of each card, by index; undefined = not known. */
export function proposeModes(
  all: readonly Proposal[],
  cardBytes: (gpu: number) => number | undefined,
): readonly ProposedMode[] {
  const modes: ProposedMode[] = [];
  const taken = new Set([OFF.name]);
  const add = (name: string, mode: Omit<ProposedMode, 'name'>) => {
    taken.add(name);
    modes.push({ name, ...mode });
  };
  const now = together(all.filter(runs));
  if (now.members.length > 0) {
    const asleep = now.members.filter(sleeps);
    const awake = now.members.filter((one) => !sleeps(one));
    const [first] = now.members;
    const name = now.members.length === 1 && first ? alone(first.name, taken) : 'current';
    add(name, { why: 'now', services: namesOf(awake), warm: namesOf(asleep), leftOut: now.leftOut });
  }
  const boot = all.filter(({ isEnabled, idle }) => isEnabled && idle !== 'keep');
  const isOther = namesOf(boot).join() !== namesOf(now.members).join();
  if (boot.length > 1 && isOther && canBeTogether(boot, cardBytes))
    add('boot', { why: 'boot', services: namesOf(boot), warm: [], leftOut: [] });
  const contained = new Set(modes.flatMap(({ services, warm }) => [...services, ...warm]));
  for (const { name, idle } of all)
    if (!contained.has(name) && (idle !== 'keep' || all.length === 1))
      add(alone(name, taken), { why: 'alone', services: [name], warm: [], leftOut: [] });
  const [first] = all;
  if (modes.length === 0 && first)
    add(alone(first.name, taken), { why: 'alone', services: [first.name], warm: [], leftOut: [] });
  return modes;
}

const namesOf = (all: readonly Proposal[]): readonly string[] => all.map(({ name }) => name);

const alone = (name: string, taken: ReadonlySet<string>): string =>
  taken.has(name) ? alone(`${name}-only`.slice(-64), taken) : name;

function runs({ seen }: Proposal): boolean {
  return ['active', 'reloading', 'activating'].includes(seen?.unit?.active ?? '') && seen?.state.kind !== 'failed';
}

const sleeps = ({ seen }: Proposal): boolean => seen?.state.kind === 'sleeping';

/** Each port once: whose process really listens there comes first. */
function together(all: readonly Proposal[]) {
  const ranked = [...all].sort((a, b) => Number(isOwner(b)) - Number(isOwner(a)));
  const owners = new Map<string, string>();
  const leftOut: { name: string; of: string }[] = [];
  for (const { name, url } of ranked) {
    const checked = address(url);
    if (!('ok' in checked)) continue;
    const of = owners.get(checked.ok.place);
    if (of === undefined) owners.set(checked.ok.place, name);
    else leftOut.push({ name, of });
  }
  return { members: all.filter(({ name }) => !leftOut.some((out) => out.name === name)), leftOut };
}

const isOwner = ({ seen }: Proposal): boolean => seen?.owner?.kind === 'unit';

function canBeTogether(all: readonly Proposal[], cardBytes: (gpu: number) => number | undefined): boolean {
  if (together(all).leftOut.length > 0) return false;
  const units = all.map(({ unit }) => unit);
  if (all.some(({ conflicts }) => conflicts.some((unit) => units.includes(unit)))) return false;
  const held = new Map<number, number>();
  for (const { gpus = [0], memory } of all)
    for (const gpu of gpus) held.set(gpu, (held.get(gpu) ?? 0) + (memory?.awakeBytes ?? 0));
  return [...held].every(([gpu, bytes]) => bytes <= (cardBytes(gpu) ?? Number.POSITIVE_INFINITY));
}
