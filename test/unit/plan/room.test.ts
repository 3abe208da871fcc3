/** Room on the cards and in host RAM: who gives way, what is refused, and what would help. */
import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../src/cli/exit-code.ts';
import { type AnyGpumodError, GpumodError } from '../../../src/core/errors.ts';
import type { Manifest, Mode, VllmService } from '../../../src/core/model.ts';
import type { Planned } from '../../../src/core/plan.ts';
import type { Observation } from '../../../src/core/state.ts';
import { GIB } from '../../../src/core/units.ts';
import { plan } from '../../../src/plan/plan.ts';
import { wantedInMode } from '../../../src/plan/wanted.ts';
import { card, manifest, mode, none, observation, type States, vllm } from '../../fakes/build.ts';

const sized = (name: string, awake: number, asleep: number, with_: Partial<VllmService> = {}) =>
  vllm(name, { memory: { awakeBytes: awake * GIB, asleepBytes: asleep * GIB }, ...with_ });

/** A card with so much of it in use, GiB. */
function used(gib: number, size = 24) {
  const [one] = (card(size) as Extract<ReturnType<typeof card>, { kind: 'measured' }>).gpus;
  return {
    kind: 'measured' as const,
    gpus: [{ ...one!, usedBytes: gib * GIB, freeBytes: (size - gib) * GIB }],
  };
}

const make = (box: Manifest, to: Mode, now: Observation): Planned =>
  plan({ manifest: box, now, target: to.name, wanted: wantedInMode(box, to) });
const problems = (planned: Planned) => (planned.kind === 'refused' ? planned.problems : []);
const steps = (planned: Planned) =>
  planned.kind === 'plan'
    ? planned.plan.steps.map(({ kind, level, service, because }) => `${kind}${level ?? ''} ${service} ${because.code}`)
    : problems(planned).map(({ code }) => code);

describe('memory that is not ours', () => {
  const box = manifest([sized('a', 20, 1), sized('b', 20, 1)]);
  const a = mode('a', ['a']);
  const at = (states: States, gib: number) => make(box, a, observation(states, used(gib)));

  it('is the reason when the mode would fit without it', () =>
    expect(problems(at({ a: 'stopped', b: 'stopped' }, 10))).toEqual([
      { code: 'foreign-memory', gpu: 0, foreignBytes: 10 * GIB, neededBytes: 20.5 * GIB, freeBytes: 14 * GIB },
    ]));
  it('is named by who holds it on that card, the largest first', () => {
    const cgroup = (unit: string) => `/user.slice/user-1000.slice/user@1000.service/app.slice/${unit}`;
    const docker = `/system.slice/docker-${'0123456789abcdef'.repeat(4)}.scope`;
    const processes = [
      { gpu: 0, pid: 1, bytes: GIB, command: 'python train.py', cgroup: cgroup('x.scope') },
      { gpu: 1, pid: 2, bytes: 9 * GIB, command: 'elsewhere', cgroup: cgroup('x.scope') },
      { gpu: 0, pid: 3, bytes: null },
      { gpu: 0, pid: 4, bytes: 3 * GIB, command: 'vllm', cgroup: docker },
      { gpu: 0, pid: 5, bytes: 5 * GIB, command: 'VLLM::EngineCore', cgroup: cgroup('b.service') }, // left behind
      { gpu: 0, pid: 6, bytes: GIB, command: 'c', cgroup: cgroup('c.service') },
    ];
    const three = manifest([sized('a', 20, 1), sized('b', 20, 1), sized('c', 20, 1, { idle: 'keep' })]);
    const states: States = { a: 'stopped', b: 'stopped', c: 'sleeping' };
    expect(problems(make(three, a, observation(states, { ...used(10), processes })))).toMatchObject([
      {
        code: 'foreign-memory',
        holders: [
          { pid: 5, command: 'VLLM::EngineCore', bytes: 5 * GIB },
          { pid: 4, command: 'vllm', bytes: 3 * GIB, contained: true },
          { pid: 1, command: 'python train.py', bytes: GIB },
          { pid: 3, bytes: null },
        ],
      },
    ]);
  });
  it('is left alone where there is room beside it', () =>
    expect(steps(at({ a: 'stopped', b: 'stopped' }, 3))).toEqual(['start a wanted-awake']));
  it('makes a sleeper give way before anything is refused', () =>
    expect(steps(at({ a: 'stopped', b: 'sleeping' }, 4))).toEqual(['stop b make-room', 'start a wanted-awake']));
  it('may be what a service that lets go has beyond its figures, up to a tenth of them: a warning, and no overlap', () => {
    const planned = at({ a: 'stopped', b: 'awake' }, 24);
    expect(steps(planned)).toEqual(['sleep1 b not-in-mode', 'start a wanted-awake']);
    expect(planned.kind === 'plan' && planned.plan.warnings).toMatchObject([{ code: 'card-too-full', gpu: 0 }]);
  });
  describe('where the tool tells whose it is', () => {
    const app = '/user.slice/user-1000.slice/user@1000.service/app.slice';
    const told = (states: States, holds: Readonly<Record<string, number>>, of = box) => {
      const all = Object.entries(holds);
      const processes = all.map(([name, gib], i) => ({
        gpu: 0,
        pid: i,
        bytes: gib * GIB,
        cgroup: `${app}/${name}.service`,
      }));
      const sum = all.reduce((total, [, gib]) => total + gib, 0);
      return make(of, a, observation(states, { ...used(sum), processes }));
    };
    it('is never taken for what a service lets go', () => {
      const states: States = { a: 'stopped', b: 'awake' };
      expect(problems(told(states, { b: 10, x: 5 }))).toMatchObject([
        { code: 'foreign-memory', foreignBytes: 5 * GIB },
      ]);
      expect(steps(told(states, { b: 10, x: 2 }))).toEqual(['sleep1 b not-in-mode', 'start a wanted-awake']);
    });
    it('is not what a service lets go beyond its figures', () => {
      const planned = told({ a: 'stopped', b: 'awake' }, { b: 23.5 });
      expect(steps(planned)).toEqual(['sleep1 b not-in-mode', 'start a wanted-awake']);
      expect(planned.kind === 'plan' && planned.plan).toMatchObject({
        warnings: [],
        steps: [{ deltaBytes: -22.5 * GIB }, { deltaBytes: 20 * GIB }],
      });
    });
    it('leaves a service that stays with what it has, more or less than declared', () => {
      const kept = manifest([sized('a', 12, 1), sized('b', 12, 1, { idle: 'keep' })]);
      const states: States = { a: 'stopped', b: 'awake' };
      expect(steps(told(states, { b: 12 }, kept))).toEqual(['does-not-fit']);
      expect(steps(told(states, { b: 11 }, kept))).toEqual(['start a wanted-awake']);
      expect(steps(told(states, { b: 11, x: 1 }, kept))).toEqual(['foreign-memory']);
    });
    it('is what is sure of it where others are not told', () =>
      expect(steps(told({ a: 'starting', b: 'stopped' }, { x: 5 }))).toEqual(['foreign-memory']));
  });
  it('may be what a service holds that is on its way', () =>
    expect(steps(at({ a: 'starting', b: 'stopped' }, 10))).toEqual(['await a wanted-awake']));
  it('may be what a service holds that declares nothing', () => {
    const quiet = manifest([sized('a', 20, 1), none('b', { idle: 'stop', memory: {} })]);
    const planned = make(quiet, a, observation({ a: 'sleeping', b: 'awake' }, used(15)));
    expect(steps(planned)).toEqual(['stop b not-in-mode', 'wake a wanted-awake']);
    expect(planned.kind === 'plan' && planned.plan.steps[1]?.after).toEqual(['s1']);
  });
  it('is no reason where nothing is to awake', () =>
    expect(steps(make(box, mode('none', []), observation({ a: 'awake', b: 'stopped' }, used(24))))).toEqual([
      'sleep1 a not-in-mode',
    ]));
  it('ends with 75; what can never fit, with 78', () => {
    const code = (planned: Planned) =>
      exitCodeOf(new GpumodError('refused', { mode: 'm', problems: problems(planned) }) as AnyGpumodError);
    expect(code(at({ a: 'stopped', b: 'stopped' }, 10))).toBe(75);
    expect(code(make(box, mode('m', ['a', 'b']), observation({ a: 'stopped', b: 'stopped' })))).toBe(78);
  });
});

describe('what would make it fit', () => {
  const [a, b, c] = [sized('a', 10, 1), sized('b', 12, 1), sized('c', 4, 1, { idle: 'keep' })];
  const all = { a: 'stopped', b: 'stopped', c: 'awake' } as const;
  it('is to leave one out, or to sleep or stop what was left alone', () =>
    expect(problems(make(manifest([a, b, c]), mode('m', ['a', 'b']), observation(all)))).toMatchObject([
      {
        code: 'does-not-fit',
        wouldFit: [
          { code: 'sleep', services: ['c'] },
          { code: 'stop', services: ['c'] },
          { code: 'leave-out', services: ['a'] },
          { code: 'leave-out', services: ['b'] },
        ],
      },
    ]));
  it('is nothing, for one that is larger than the card', () =>
    expect(
      problems(make(manifest([sized('a', 30, 1)]), mode('m', ['a']), observation({ a: 'stopped' }))),
    ).toMatchObject([{ wouldFit: [] }]));
});

it('stops the sleepers that come back cheapest, and no more than it must', () => {
  const box = manifest([sized('big', 20, 0), sized('dear', 18, 2), sized('cheap', 4, 1), sized('cheaper', 2, 1)]);
  const asleep = { kind: 'sleeping', level: 1 } as const;
  const now = observation({ big: 'stopped', dear: asleep, cheap: asleep, cheaper: asleep });
  expect(steps(make(box, mode('m', ['big']), now))).toEqual(['stop cheaper make-room', 'start big wanted-awake']);
  const tighter = manifest([sized('big', 23, 0), ...[...box.services.values()].slice(1)]);
  expect(steps(make(tighter, mode('m', ['big']), now))).toEqual([
    'stop dear make-room',
    'stop cheap make-room',
    'stop cheaper make-room',
    'start big wanted-awake',
  ]);
});

describe('host RAM', () => {
  const [a, b] = [sized('a', 5, 1), sized('b', 5, 1, { idle: 'sleep' })];
  const box = manifest([a, b]); // 4 GiB of it are reserved; a backup may take 6 GiB
  const at = (available: number, levels: readonly (1 | 2)[] = [1, 2], of = box, to = mode('none', [])) =>
    make(of, to, {
      ...observation({ a: 'awake', b: 'awake' }, card(24), {
        a: { can: true, levels },
        b: { can: true, levels },
      }),
      hostMemory: { totalBytes: 128 * GIB, availableBytes: available * GIB },
    });
  it('holds both backups', () => expect(steps(at(16))).toEqual(['sleep1 a not-in-mode', 'sleep1 b not-in-mode']));
  it('holds one: the other sleeps deeper', () =>
    expect(steps(at(12)).sort()).toEqual(['sleep1 b not-in-mode', 'sleep2 a spare-host']));
  it('holds none, and no level holds without it: they are stopped', () =>
    expect(steps(at(5, [1]))).toEqual(['stop a spare-host', 'stop b spare-host']));
  it('is for the warm ones first', () =>
    expect(steps(at(12, [1], box, mode('m', [], { warm: ['a'] }))).sort()).toEqual([
      'sleep1 a warm',
      'stop b spare-host',
    ]));
  it('is counted as declared', () => {
    const declared = manifest([{ ...a, memory: { ...a.memory, hostBytes: 3 * GIB } }, b]);
    expect(steps(at(13, [1], declared)).filter((step) => step.includes('spare'))).toEqual([]);
  });
  it('is not asked for again by a process that has slept at level 1 before', () => {
    const now = {
      ...observation({ a: 'awake', b: 'awake' }),
      hostMemory: { totalBytes: 128 * GIB, availableBytes: 12 * GIB },
    };
    const to = mode('none', []);
    const wanted = wantedInMode(box, to);
    const figures = new Map([['a', { pinned: true as const }]]);
    const planned = plan({ manifest: box, now, target: 'none', wanted, figures });
    expect(steps(planned)).toEqual(['sleep1 a not-in-mode', 'sleep1 b not-in-mode']);
  });
  it('never makes a fallback need it', () => {
    const planned = at(5);
    expect(planned.kind === 'plan' && planned.plan.steps.map(({ ifRefused }) => ifRefused)).toEqual(['stop', 'stop']);
  });
  it('limits nothing where nobody looked', () =>
    expect(steps(make(box, mode('none', []), observation({ a: 'awake', b: 'awake' })))).toHaveLength(2));
  it('refuses what was asked for by name instead of doing something else', () => {
    const now = {
      ...observation({ a: 'awake', b: 'awake' }),
      hostMemory: { totalBytes: 128 * GIB, availableBytes: 8 * GIB },
    };
    const wanted = new Map([
      ['a', { kind: 'resting' as const, level: 1 as const }],
      ['b', { kind: 'any' as const }],
    ]);
    expect(problems(plan({ manifest: box, now, target: 'a', wanted, because: 'asked' }))).toEqual([
      { code: 'host-memory', service: 'a', neededBytes: 6 * GIB, freeBytes: 4 * GIB },
    ]);
  });
});
