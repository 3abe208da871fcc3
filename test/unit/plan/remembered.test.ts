/** Cards that are not measured, with sizes as last seen: what does not fit by the declared figures is refused, and all of it is labelled. */
import { describe, expect, it } from 'vitest';
import type { CardSize, GpuReading } from '../../../src/core/facts.ts';
import type { Mode, VllmService } from '../../../src/core/model.ts';
import { GIB } from '../../../src/core/units.ts';
import { plan } from '../../../src/plan/plan.ts';
import { wantedInMode } from '../../../src/plan/wanted.ts';
import { card, manifest, mode, observation, type States, vllm } from '../../fakes/build.ts';
import { carriedOut } from './kit/carry-out.ts';
import { allEnds, fitsOn } from './kit/choices.ts';
import { type Box, randomBox, randomFrom } from './kit/random-box.ts';

const sized = (name: string, awake: number | undefined, asleep: number, with_: Partial<VllmService> = {}) =>
  vllm(name, {
    memory: { ...(awake === undefined ? {} : { awakeBytes: awake * GIB }), asleepBytes: asleep * GIB },
    ...with_,
  });
const why = { code: 'tool-silent', detail: 'nvidia-smi' } as const;
const silent: GpuReading = { kind: 'unmeasured', why };
const size = (gib: number, index = 0): CardSize => ({ index, uuid: `GPU-${index}`, totalBytes: gib * GIB });
/** A tool that answers, and tells no size. */
const untold = (gib: number, used: number | null = null): GpuReading => {
  const [one] = (card(gib) as Extract<GpuReading, { kind: 'measured' }>).gpus;
  return { kind: 'measured', gpus: [{ ...one!, totalBytes: null, freeBytes: null, usedBytes: used && used * GIB }] };
};

const box = manifest([sized('a', 14, 1), sized('b', 10, 1, { idle: 'keep' }), sized('c', undefined, 1)]);
const made = (to: Mode, states: States, gpu: GpuReading, ...cardSizes: readonly CardSize[]) =>
  plan({
    manifest: box,
    now: { ...observation(states, gpu), cardSizes },
    target: to.name,
    wanted: wantedInMode(box, to),
  });
const steps = (planned: ReturnType<typeof plan>) =>
  planned.kind === 'plan'
    ? planned.plan.steps.map(({ kind, service }) => `${kind} ${service}`)
    : planned.problems.map(({ code }) => code);
const a = mode('a', ['a']);
const c = mode('c', ['c'], { others: 'keep' });

describe('a card that is not measured', () => {
  it('refuses what its size as last seen has no room for, the reserve included', () => {
    const refused = made(a, { a: 'stopped', b: 'awake', c: 'stopped' }, silent, size(24));
    expect(refused).toMatchObject({
      kind: 'refused',
      problems: [{ code: 'does-not-fit', totalBytes: 24 * GIB, unmeasured: why, reserveBytes: GIB / 2 }],
    });
    expect(steps(made(a, { a: 'stopped', b: 'awake', c: 'stopped' }, silent, size(25)))).toEqual(['start a']);
  });
  it('makes a sleeper give way', () => {
    const states: States = { a: 'sleeping', b: 'stopped', c: 'stopped' };
    const b = mode('b', ['b']);
    expect(steps(made(b, states, silent, size(11)))).toEqual(['stop a', 'start b']);
    expect(steps(made(b, states, silent, size(12)))).toEqual(['start b']);
  });
  it('says so in the plan', () => {
    const planned = made(a, { a: 'stopped', b: 'sleeping', c: 'stopped' }, silent, size(24));
    expect(planned).toMatchObject({
      plan: {
        warnings: [{ code: 'memory-declared', why, remembered: [0] }],
        cards: [{ totalBytes: 24 * GIB, remembered: true }],
      },
    });
  });
  it('does not limit who declares nothing', () =>
    expect(steps(made(c, { a: 'awake', b: 'awake', c: 'stopped' }, silent, size(26)))).toEqual(['start c']));
  it('limits nothing where nothing, or only another card, is remembered', () => {
    for (const sizes of [[], [size(24, 1)]]) {
      const planned = made(a, { a: 'stopped', b: 'awake', c: 'stopped' }, silent, ...sizes);
      expect(planned).toMatchObject({ plan: { cards: [{ totalBytes: null }] } });
      expect(planned.kind === 'plan' && planned.plan.warnings).toEqual([{ code: 'memory-declared', why }]);
    }
  });
});

describe('a tool that answers without the size', () => {
  const states: States = { a: 'stopped', b: 'awake', c: 'stopped' };
  it('is helped out by what is remembered of that very card', () => {
    const refused = made(a, states, untold(24), size(24));
    expect(refused).toMatchObject({ problems: [{ code: 'does-not-fit', unmeasured: { code: 'not-told' } }] });
    expect(steps(made(a, states, untold(24), { ...size(24), uuid: 'GPU-9' }))).toEqual(['start a']);
  });
  it('may tell what is in use', () => {
    const refused = made(a, { a: 'stopped', b: 'stopped', c: 'stopped' }, untold(24, 12), size(24));
    expect(refused).toMatchObject({
      problems: [{ code: 'foreign-memory', foreignBytes: 12 * GIB, unmeasured: { code: 'not-told' } }],
    });
  });
});

const forAll = (runs: number, least: number, check: (box: Box, seed: number) => boolean) => {
  let counts = 0;
  for (let seed = 1; seed <= runs; seed++)
    try {
      if (check(randomBox(randomFrom(seed), 9), seed)) counts += 1;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  expect(counts).toBeGreaterThanOrEqual(least);
};
const planFor = ({ given, now, wanted, figures }: Box, with_: Partial<Box['now']>) =>
  plan({ manifest: given, now: { ...now, ...with_ }, target: 'target', wanted, figures });
const cardsOf = ({ now: { gpu } }: Box) => (gpu.kind === 'measured' ? gpu.gpus : []);

it('on random boxes changes nothing where all is measured', () => {
  forAll(400, 300, (one, seed) => {
    if (one.now.gpu.kind === 'unmeasured') return false;
    const random = randomFrom(seed);
    const cardSizes = [...cardsOf(one).map(({ index }) => size(random.int(1, 99), index)), size(1, 99)];
    expect(planFor(one, { cardSizes })).toEqual(planFor(one, {}));
    return true;
  });
});

it('on random boxes refuses what fits in no way by the declared figures, and ends within the card', () => {
  let refused = 0;
  forAll(1500, 400, (one, seed) => {
    if (one.now.gpu.kind === 'unmeasured') return false;
    const cardSizes = cardsOf(one).map(({ index, uuid, totalBytes }) => ({ index, uuid, totalBytes: totalBytes! }));
    const planned = planFor(one, { gpu: silent, cardSizes });
    const declared: Box = { ...one, told: new Map() };
    const fits = (index: number) => [...allEnds(declared)].some((ends) => fitsOn(index, ends, declared, 0));
    const tight = cardSizes.filter(({ index }) => !fits(index)).map(({ index }) => index);
    if (planned.kind === 'refused') {
      const on = planned.problems.flatMap((problem) => (problem.code === 'does-not-fit' ? [problem.gpu] : []));
      expect(on.sort()).toEqual(tight.sort());
      if (on.length > 0) refused += 1;
      return false;
    }
    expect(tight).toEqual([]);
    const blind: Box = { ...declared, now: { ...one.now, gpu: silent, cardSizes } };
    expect(carriedOut(planned.plan, blind, randomFrom(seed))).toEqual([]);
    const settled = [...one.now.services.values()].every(
      ({ state }) => ['sleeping', 'stopped'].includes(state.kind) || (state.kind === 'awake' && !state.missing),
    );
    if (!settled) return false;
    for (const { index, totalBytes, reserveBytes, timeline } of planned.plan.cards) {
      const isTaken = planned.plan.steps.some(({ gpus, deltaBytes }) => gpus.includes(index) && deltaBytes > 0);
      const end = timeline.at(-1)?.usedBytes ?? 0;
      if (isTaken && totalBytes !== null) expect(end).toBeLessThanOrEqual(totalBytes - reserveBytes);
    }
    return planned.plan.steps.length > 1;
  });
  expect(refused).toBeGreaterThan(100);
});
