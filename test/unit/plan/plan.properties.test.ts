/** What holds for every plan, on random boxes: several GPUs, any observed states. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Manifest, Service } from '../../../src/core/model.ts';
import { type Plan, RELEASES, type Step } from '../../../src/core/plan.ts';
import type { Observation, ServiceState } from '../../../src/core/state.ts';
import { GIB } from '../../../src/core/units.ts';
import { plan } from '../../../src/plan/plan.ts';
import { differences, wantedInMode } from '../../../src/plan/wanted.ts';
import { CAN_SLEEP, card, http, llamacpp, manifest, mode, NO_SLEEP, observation, vllm } from '../../fakes/build.ts';
import { endOf } from './kit/rules.ts';

const state: fc.Arbitrary<ServiceState> = fc.constantFrom<ServiceState>(
  { kind: 'awake' },
  { kind: 'stopped' },
  { kind: 'sleeping', level: 1 },
  { kind: 'sleeping' },
  { kind: 'starting' },
  { kind: 'waking' },
  { kind: 'stopping' },
  { kind: 'failed', why: { code: 'exit-code' } },
  { kind: 'failed', why: { code: 'auto-restart' } },
  { kind: 'unhealthy', why: { code: 'no-answer' } },
);

type Make = (name: string, with_: Pick<Service, 'gpus' | 'idle' | 'memory'>) => Service;
const engines: readonly Make[] = [vllm, llamacpp, http];

const box = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 8 }))
  .chain(([gpus, services]) =>
    fc.record({
      gpus: fc.constant(gpus),
      services: fc.array(
        fc.record({
          engine: fc.constantFrom(...engines),
          gpus: fc.subarray([...Array(gpus).keys()]),
          awake: fc.integer({ min: 1, max: 20 }),
          idle: fc.constantFrom('sleep' as const, 'stop' as const, 'keep' as const),
          state,
          canSleep: fc.boolean(),
          place: fc.constantFrom('in', 'warm', 'out'),
        }),
        { minLength: services, maxLength: services },
      ),
    }),
  )
  .map(({ gpus, services }) => {
    const named = services.map((each, i) => ({ ...each, name: `s${i}` }));
    const of = (place: string) => named.filter((each) => each.place === place).map(({ name }) => name);
    const target = mode('target', of('in'), { warm: of('warm') });
    const all = named.map((each) =>
      each.engine(each.name, {
        gpus: each.gpus,
        idle: each.idle,
        memory: { awakeBytes: each.awake * GIB, asleepBytes: 1 * GIB },
      }),
    );
    const naps = Object.fromEntries(named.map((each) => [each.name, each.canSleep ? CAN_SLEEP : NO_SLEEP]));
    const states = Object.fromEntries(named.map((each) => [each.name, each.state]));
    const now = observation(states, card(...Array<number>(gpus).fill(24)), naps);
    return { manifest: manifest(all, [target]), now, wanted: wantedInMode(manifest(all), target) };
  });

const planFor = (input: { manifest: Manifest; now: Observation; wanted: ReturnType<typeof wantedInMode> }) =>
  plan({ ...input, target: 'target' });

/** The world after a plan that went well. */
function after(made: Plan, now: Observation): Observation {
  const services = new Map(now.services);
  for (const step of made.steps) {
    const before = services.get(step.service);
    if (before) services.set(step.service, { ...before, state: endOf(step) });
  }
  return { ...now, services };
}

it('reaches what is wanted, and planning again finds nothing to do', () => {
  fc.assert(
    fc.property(box, (input) => {
      const made = planFor(input);
      if (made.kind === 'refused') return;
      const end = after(made.plan, input.now);
      expect(differences(made.plan.wanted, end)).toEqual([]);
      expect(planFor({ ...input, now: end, wanted: made.plan.wanted })).toMatchObject({ plan: { steps: [] } });
    }),
    { numRuns: 500 },
  );
});

it('has at most one step a service, waits only for earlier steps, and is the same for the same input', () => {
  fc.assert(
    fc.property(box, (input) => {
      const made = planFor(input);
      expect(planFor(input)).toEqual(made);
      if (made.kind === 'refused') return;
      const isEnd = (step: Step) => step.kind === 'stop' && step.because.code === 'not-healthy'; // it starts anew
      const own = made.plan.steps.filter((step) => step.because.code !== 'under-way' && !isEnd(step));
      const names = own.map((step) => step.service);
      expect(new Set(names).size).toBe(names.length);
      made.plan.steps.forEach((step, i) => {
        const earlier = made.plan.steps.slice(0, i).map(({ id }) => id);
        expect(step.after.every((id) => earlier.includes(id))).toBe(true);
      });
    }),
    { numRuns: 300 },
  );
});

it('waits, directly or through others, for every release on a GPU that is not measured before it takes there', () => {
  fc.assert(
    fc.property(box, (input) => {
      const gpu = { kind: 'unmeasured', why: { code: 'no-tool' } } as const;
      const made = planFor({ ...input, now: { ...input.now, gpu } });
      if (made.kind === 'refused') return;
      const { steps } = made.plan;
      const waitsFor = (id: string): Set<string> => {
        const direct = steps.find((step) => step.id === id)?.after ?? [];
        return new Set([...direct, ...direct.flatMap((earlier) => [...waitsFor(earlier)])]);
      };
      for (const take of steps.filter((step) => !RELEASES.has(step.kind) && step.kind !== 'await'))
        for (const release of steps.filter(
          (step) => RELEASES.has(step.kind) && step.gpus.some((gpu) => take.gpus.includes(gpu)),
        ))
          expect(waitsFor(take.id).has(release.id)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
