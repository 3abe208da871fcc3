/**
 * On random boxes, from a seed that a failure names: every plan, carried out with random durations, is safe and ends in what
 * is wanted; small ones are as fast as any safe order; and what is refused, or made to give way, could not be had otherwise.
 */
import { expect, it } from 'vitest';
import type { Plan, Planned } from '../../../src/core/plan.ts';
import type { Observation } from '../../../src/core/state.ts';
import { plan } from '../../../src/plan/plan.ts';
import { differences } from '../../../src/plan/wanted.ts';
import { leastAwakeSeconds } from './kit/brute-force.ts';
import { carriedOut } from './kit/carry-out.ts';
import { allEnds, backupOf, type End, fitsOn, wishOf } from './kit/choices.ts';
import { type Box, type Random, randomBox, randomFrom } from './kit/random-box.ts';
import { blindGpus, endOf, roomOn } from './kit/rules.ts';

interface Case {
  readonly box: Box;
  readonly planned: Planned;
  readonly random: Random;
}

/** Fails with the seed. `counts` keeps a test from passing because its cases never happen. */
function forAll(runs: number, least: number, most: number, check: (one: Case) => boolean): void {
  let counts = 0;
  for (let seed = 1; seed <= runs; seed++) {
    const random = randomFrom(seed);
    const box = randomBox(random, most);
    try {
      const { given: manifest, now, wanted, figures } = box;
      const planned = plan({ manifest, now, target: 'target', wanted, figures });
      if (check({ box, planned, random })) counts += 1;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  expect(counts).toBeGreaterThanOrEqual(least);
}

it('is safe however long its steps take, and ends in what is wanted', () => {
  forAll(3000, 1500, 12, ({ box, planned, random }) => {
    if (planned.kind === 'refused') return false;
    for (let trial = 0; trial < 3; trial++) expect(carriedOut(planned.plan, box, random)).toEqual([]);
    expect(differences(planned.plan.wanted, after(planned.plan, box.now))).toEqual([]);
    for (const [name, want] of planned.plan.wanted) {
      const before = box.wanted.get(name)!.kind;
      expect([before, ...(before === 'resting' ? ['stopped'] : [])]).toContain(want.kind);
    }
    return planned.plan.steps.length > 2;
  });
});

it('has all of the target awake as early as any safe order, for up to six steps', () => {
  forAll(3000, 800, 7, ({ box, planned }) => {
    if (planned.kind === 'refused' || planned.plan.steps.length > 6) return false;
    const least = leastAwakeSeconds(planned.plan, box);
    expect(planned.plan.awakeSeconds).toBeCloseTo(least, 6);
    expect(planned.plan.lowerBoundSeconds).toBeLessThanOrEqual(least + 1e-6);
    return planned.plan.steps.length > 2;
  });
});

it('predicts what its waits give: each step begins when the last of those it waits for is over', () => {
  forAll(500, 300, 12, ({ planned }) => {
    if (planned.kind === 'refused') return false;
    const { steps, makespanSeconds, lowerBoundSeconds, awakeSeconds } = planned.plan;
    const ends = new Map(steps.map(({ id, endSeconds }) => [id, endSeconds]));
    for (const step of steps) expect(step.startSeconds).toBe(Math.max(0, ...step.after.map((id) => ends.get(id)!)));
    expect(makespanSeconds).toBe(Math.max(0, ...ends.values()));
    expect(lowerBoundSeconds).toBeLessThanOrEqual(awakeSeconds + 1e-6);
    return steps.length > 0;
  });
});

const MEMORY = ['does-not-fit', 'foreign-memory'];

it('refuses for memory only what fits in no way, and says so where it plans all the same', () => {
  forAll(3000, 200, 9, ({ box, planned }) => {
    const { gpu: reading } = box.now;
    if (reading.kind === 'unmeasured') return false;
    const problems = planned.kind === 'refused' ? planned.problems.filter(({ code }) => MEMORY.includes(code)) : [];
    for (const problem of problems) {
      if (problem.code !== 'does-not-fit' && problem.code !== 'foreign-memory') continue;
      const anyWay = (foreign: number) => [...allEnds(box)].some((ends) => fitsOn(problem.gpu, ends, box, foreign));
      expect(anyWay(box.foreign[problem.gpu]!)).toBe(false);
      expect(anyWay(0)).toBe(problem.code === 'foreign-memory');
    }
    if (planned.kind === 'plan')
      for (const { index } of reading.gpus)
        if (![...allEnds(box)].some((ends) => fitsOn(index, ends, box, box.foreign[index]!)))
          expect(blindGpus(planned.plan, box).has(index)).toBe(true);
    return problems.length > 0;
  });
});

it('lets no sleeper give way that need not, and no backup exceed host RAM', () => {
  forAll(3200, 50, 9, ({ box, planned }) => {
    if (planned.kind === 'refused') return false;
    const { manifest, now } = box;
    const services = [...manifest.services.values()];
    const wants = planned.plan.wanted;
    const hostFits = (of: ReadonlyMap<string, typeof wants extends ReadonlyMap<string, infer W> ? W : never>) =>
      now.hostMemory === undefined ||
      services.reduce((sum, each) => sum + backupOf(each, box, of.get(each.name)!), 0) <=
        Math.max(0, now.hostMemory.availableBytes - manifest.hostReserveBytes);
    expect(hostFits(wants)).toBe(true);
    if (planned.plan.warnings.some(({ code }) => code === 'card-too-full')) return false;

    const ends = new Map<string, End>(
      services.map((each) => [each.name, wants.get(each.name)!.kind === 'stopped' ? 'stopped' : wishOf(each, box)]),
    );
    const gpus = [...new Set(services.flatMap((each) => each.gpus))];
    const foreign = (gpu: number) => {
      if (now.gpu.kind === 'unmeasured') return 0;
      return now.gpu.gpus[gpu]!.totalBytes! - manifest.gpuReserveBytes - roomOn(gpu, planned.plan, box)!;
    };
    const gaveWay = services.filter((each) => wants.get(each.name) !== box.wanted.get(each.name));
    for (const each of gaveWay) {
      const without = new Map(ends).set(each.name, wishOf(each, box));
      const fits = gpus.every((gpu) => fitsOn(gpu, without, box, foreign(gpu)));
      const back = new Map(wants).set(each.name, box.wanted.get(each.name)!);
      expect(fits && hostFits(back)).toBe(false);
    }
    return gaveWay.length > 0;
  });
});

/** The world after a plan that went well. */
function after(made: Plan, now: Observation): Observation {
  const services = new Map(now.services);
  for (const step of made.steps) {
    const before = services.get(step.service)!;
    services.set(step.service, { ...before, state: endOf(step) });
  }
  return { ...now, services };
}
