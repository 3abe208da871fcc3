/** Plans made with what was measured before: seconds of steps, and bytes where none are declared. */
import { describe, expect, it } from 'vitest';
import type { KnownFigures, Learned, Measure } from '../../../src/core/figures.ts';
import type { Manifest, Service } from '../../../src/core/model.ts';
import type { Plan, StepKind } from '../../../src/core/plan.ts';
import { GIB } from '../../../src/core/units.ts';
import { secondsFor } from '../../../src/plan/costs.ts';
import { plan } from '../../../src/plan/plan.ts';
import { wantedInMode } from '../../../src/plan/wanted.ts';
import { card, llamacpp, manifest, mode, none, observation, type States, vllm } from '../../fakes/build.ts';

const measured = (samples: Partial<Record<Measure, readonly number[]>>): Learned => ({ samples });
const thrice = (measure: Measure, value: number): Learned => measured({ [measure]: [value, value, value] });

describe('the seconds of a step', () => {
  const chat = vllm('chat', { memory: { awakeBytes: 10e9 } }); // 6 GB of weights
  const seconds = (kind: StepKind, level: 1 | 2 | undefined, learned?: Learned, neverSlept?: true) =>
    secondsFor(chat, level ? { kind, level } : { kind }, {
      ...(learned ? { learned } : {}),
      ...(neverSlept ? { neverSlept } : {}),
    });

  it('are the median of that step’s own, from three on', () => {
    expect(seconds('wake', 1, measured({ 'wake-1-seconds': [2, 9, 3] }))).toBe(3);
    expect(seconds('wake', 1, measured({ 'wake-1-seconds': [2, 9] }))).toBeCloseTo(0.6);
    expect(seconds('wake', 2, measured({ 'wake-1-seconds': [2, 9, 3] }))).toBeCloseTo(4);
    expect(seconds('stop', undefined, thrice('stop-seconds', 11))).toBe(11);
    expect(seconds('start', undefined, thrice('start-seconds', 50))).toBe(50);
  });
  it('of the first sleep of a process at level 1 are apart', () => {
    const both = measured({ 'sleep-1-first-seconds': [8, 8, 8], 'sleep-1-seconds': [1, 1, 1] });
    expect(seconds('sleep', 1, both, true)).toBe(8);
    expect(seconds('sleep', 1, both)).toBe(1);
    expect(seconds('sleep', 1, undefined, true)).toBeCloseTo(3.75);
    expect(seconds('sleep', 1)).toBeCloseTo(0.5);
    expect(seconds('sleep', 2, both, true)).toBe(0.3);
  });
  it('of a restart are those of its stop and its start until it has its own; of a wait, half of a start’s', () => {
    const parts = measured({ 'stop-seconds': [2, 2, 2], 'start-seconds': [40, 40, 40] });
    expect(seconds('restart', undefined, parts)).toBe(42);
    expect(seconds('restart', undefined, thrice('restart-seconds', 30))).toBe(30);
    expect(seconds('await', undefined, parts)).toBe(20);
  });
});

const box = (...services: readonly Service[]) => manifest(services);
const figures = (known: Readonly<Record<string, Learned>>): KnownFigures =>
  new Map(Object.entries(known).map(([name, learned]) => [name, { learned }]));

function planned(of: Manifest, awake: readonly string[], states: States, known: KnownFigures, used = 0) {
  const to = mode('m', awake);
  const [one] = (card(24) as Extract<ReturnType<typeof card>, { kind: 'measured' }>).gpus;
  const gpu = { kind: 'measured' as const, gpus: [{ ...one!, usedBytes: used * GIB, freeBytes: (24 - used) * GIB }] };
  return plan({
    manifest: of,
    now: observation(states, gpu),
    target: 'm',
    wanted: wantedInMode(of, to),
    figures: known,
  });
}
const steps = (answer: ReturnType<typeof planned>) =>
  answer.kind === 'plan'
    ? answer.plan.steps.map(({ kind, service }) => `${kind} ${service}`)
    : answer.problems.map(({ code }) => `!${code}`);
const made = (answer: ReturnType<typeof planned>): Plan => {
  if (answer.kind === 'refused') throw new Error('refused');
  return answer.plan;
};

describe('a plan', () => {
  it('is timed by what was measured', () => {
    const answer = planned(
      box(vllm('chat')),
      ['chat'],
      { chat: 'stopped' },
      figures({ chat: thrice('start-seconds', 71) }),
    );
    expect(made(answer)).toMatchObject({ makespanSeconds: 71, lowerBoundSeconds: 71 });
  });
  it('lets that sleeper give way whose way back was measured to cost least', () => {
    const three = box(vllm('a', { memory: { awakeBytes: 20 * GIB } }), llamacpp('b'), llamacpp('c'));
    const cheap = (name: string) =>
      figures({
        b: thrice('start-seconds', name === 'b' ? 1 : 90),
        c: thrice('start-seconds', name === 'c' ? 1 : 90),
      });
    const states: States = { a: 'stopped', b: { kind: 'sleeping' }, c: { kind: 'sleeping' } };
    const room = (name: string) => steps(planned(three, ['a'], states, cheap(name), 4.5));
    expect(room('b')).toEqual(['stop b', 'start a']);
    expect(room('c')).toEqual(['stop c', 'start a']);
  });
});

describe('memory that is not declared, and was measured before', () => {
  const bare = { memory: {} };
  const two = box(vllm('a', bare), vllm('b', bare));
  const both = figures({ a: thrice('awake-bytes', 14 * GIB), b: thrice('awake-bytes', 14 * GIB) });

  it('refuses what can not fit, and says nothing of it where there is no measure', () => {
    const down: States = { a: 'stopped', b: 'stopped' };
    expect(steps(planned(two, ['a', 'b'], down, both))).toEqual(['!does-not-fit']);
    expect(steps(planned(two, ['a', 'b'], down, new Map()))).toEqual(['start a', 'start b']);
    const few = figures({ a: measured({ 'awake-bytes': [14 * GIB, 14 * GIB] }), b: thrice('awake-bytes', 14 * GIB) });
    expect(steps(planned(two, ['a', 'b'], down, few))).toEqual(['start a', 'start b']);
  });
  it('is said to be learned, is in the picture, and is given room', () => {
    const plan = made(planned(two, ['a'], { a: 'stopped', b: 'stopped' }, both));
    expect(plan.warnings).toEqual([{ code: 'memory-learned', service: 'a', bytes: 14 * GIB }]);
    expect(plan.peakBytes).toEqual({ '0': 14 * GIB });
    expect(plan.steps).toMatchObject([
      { deltaBytes: 14 * GIB, learnedBytes: 14 * GIB, usedBytesAfter: { '0': 14 * GIB } },
    ]);
  });
  it('never makes somebody else’s of what a service holds beyond it', () => {
    const grown = box(vllm('a', { memory: { awakeBytes: 20 * GIB } }), none('b', { idle: 'stop', memory: {} }));
    const known = figures({ b: thrice('awake-bytes', 2 * GIB) });
    const answer = planned(grown, ['a'], { a: 'stopped', b: 'awake' }, known, 18);
    expect(steps(answer)).toEqual(['stop b', 'start a']);
    expect(made(answer).steps[1]?.after).toEqual(['s1']);
  });
  it('lets others take beside it as if it were declared', () => {
    const of = (memory: Service['memory']) =>
      box(vllm('a', { memory: { awakeBytes: 5 * GIB, asleepBytes: GIB } }), none('b', { idle: 'stop', memory }));
    const waits = (memory: Service['memory'], known: KnownFigures) =>
      made(planned(of(memory), ['a'], { a: { kind: 'sleeping', level: 1 }, b: 'awake' }, known, 3)).steps.find(
        ({ kind }) => kind === 'wake',
      )?.after;
    expect(waits({}, new Map())).toEqual(['s1']);
    expect(waits({}, figures({ b: thrice('awake-bytes', 2 * GIB) }))).toEqual([]);
    expect(waits({ awakeBytes: 2 * GIB }, new Map())).toEqual([]);
  });
  it('counts for a sleeper whose memory is declared awake only', () => {
    const of = box(vllm('a', { memory: { awakeBytes: 20 * GIB } }), vllm('b', { memory: { awakeBytes: 10 * GIB } }));
    const states: States = { a: 'stopped', b: { kind: 'sleeping', level: 1 } };
    expect(steps(planned(of, ['a'], states, new Map(), 1))).toEqual(['start a']);
    const leaks = figures({ b: thrice('asleep-1-bytes', 4 * GIB) });
    expect(steps(planned(of, ['a'], states, leaks, 1))).toEqual(['stop b', 'start a']);
  });
  it('gives way to what is declared', () => {
    const of = box(vllm('a', { memory: { awakeBytes: 10 * GIB, asleepBytes: 1 * GIB } }));
    const answer = planned(of, ['a'], { a: 'stopped' }, figures({ a: thrice('awake-bytes', 30 * GIB) }));
    expect(made(answer)).toMatchObject({ peakBytes: { '0': 10 * GIB }, warnings: [] });
  });
  it('is the peak of a take: it waits for room for that, as far as there will be any', () => {
    const of = box(
      vllm('a', { memory: { awakeBytes: 8 * GIB } }),
      vllm('b', { idle: 'stop', memory: { awakeBytes: 14 * GIB } }),
    );
    const waits = (known: KnownFigures) =>
      made(planned(of, ['a'], { a: { kind: 'sleeping', level: 1 }, b: 'awake' }, known, 15)).steps.find(
        ({ kind }) => kind === 'wake',
      )?.after;
    expect(waits(new Map())).toEqual([]);
    expect(waits(figures({ a: thrice('peak-bytes', 9 * GIB) }))).toEqual([]);
    expect(waits(figures({ a: thrice('peak-bytes', 12 * GIB) }))).toEqual(['s1']);
    expect(waits(figures({ a: thrice('peak-bytes', 90 * GIB) }))).toEqual(['s1']);
  });
  it('is the backup in host RAM too', () => {
    const now = {
      ...observation({ a: 'awake', b: 'stopped' }),
      hostMemory: { totalBytes: 64 * GIB, availableBytes: 9 * GIB },
    };
    const levelWith = (known: KnownFigures, a = vllm('a')) => {
      const of = box(a, vllm('b'));
      const answer = plan({
        manifest: of,
        now,
        target: 'm',
        wanted: wantedInMode(of, mode('m', ['b'])),
        figures: known,
      });
      return made(answer).steps.find(({ service }) => service === 'a')?.level;
    };
    expect(levelWith(new Map())).toBe(2); // twice 3 GiB of weights do not fit beside the reserve
    expect(levelWith(figures({ a: thrice('backup-bytes', 4 * GIB) }))).toBe(1);
    expect(levelWith(figures({ a: thrice('backup-bytes', 6 * GIB) }))).toBe(2);
    expect(levelWith(figures({ a: thrice('backup-bytes', 4 * GIB) }), vllm('a', { memory: {} }))).toBe(1);
  });
});
