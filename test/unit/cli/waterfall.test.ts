/** The picture of a plan: every bar is as wide as the next, every line fits, and every kind of memory has its own glyph. */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { cellsOf, type Filling } from '../../../src/cli/view/bar.ts';
import { styleFor } from '../../../src/cli/view/style.ts';
import { waterfall } from '../../../src/cli/view/waterfall.ts';
import type { GpuProcess, GpuReading } from '../../../src/core/facts.ts';
import type { Manifest } from '../../../src/core/model.ts';
import type { Plan } from '../../../src/core/plan.ts';
import { GIB } from '../../../src/core/units.ts';
import { plan } from '../../../src/plan/plan.ts';
import { wantedInMode } from '../../../src/plan/wanted.ts';
import { card, manifest, mode, observation, type States, vllm } from '../../fakes/build.ts';

const none = styleFor(false);

const planned = (of: Manifest, states: States, gpu?: GpuReading): Plan => {
  const now = observation(states, gpu);
  const target = [...of.modes.values()][0];
  if (!target) throw new Error('no mode');
  const made = plan({ manifest: of, now, target: target.name, wanted: wantedInMode(of, target) });
  if (made.kind === 'refused') throw new Error(JSON.stringify(made.problems));
  return made.plan;
};

/** `used`: GiB of each card. */
const holding = (cards: GpuReading, used: readonly number[], processes?: readonly GpuProcess[]): GpuReading =>
  cards.kind === 'unmeasured'
    ? cards
    : {
        ...cards,
        gpus: cards.gpus.map((each, i) => ({ ...each, usedBytes: (used[i] ?? 0) * GIB })),
        ...(processes ? { processes } : {}),
      };
const process = (pid: number, gib: number | null, cgroup: string): GpuProcess => ({
  gpu: 0,
  pid,
  bytes: gib === null ? null : gib * GIB,
  cgroup,
});

const box = manifest(
  [
    vllm('chat', { memory: { awakeBytes: 16 * GIB, asleepBytes: 2 * GIB } }),
    vllm('embed', { memory: { awakeBytes: 12 * GIB, asleepBytes: 1 * GIB } }),
    vllm('old', { memory: { awakeBytes: 5 * GIB, asleepBytes: 1 * GIB } }),
  ],
  [mode('find', ['embed'])],
);
const states: States = { chat: 'awake', embed: 'stopped', old: 'sleeping' };
const full = holding(card(24), [20], [process(9, 3, '/user.slice/session-2.scope')]);
const drawn = (plan_: Plan, columns?: number) => waterfall(plan_, none, columns).split('\n').slice(0, -1);
const legend = (plan_: Plan) => drawn(plan_, 120).at(-1);
const bars = (lines: readonly string[]) => lines.flatMap((line) => /[█▓▒░·]{10,}/.exec(line)?.[0] ?? []);

describe('the picture of a plan', () => {
  it('tells awake, asleep, foreign, free and reserved memory apart, step by step', () => {
    expect(waterfall(planned(box, states, full), none, 80)).toMatchSnapshot();
  });

  it('has colour only if the style has', () => {
    expect(waterfall(planned(box, states, full), none, 80)).not.toContain('\u001b');
    const coloured = waterfall(planned(box, states, full), styleFor(true), 80);
    expect(coloured).toContain('\u001b[33m▒');
    expect(coloured).toContain('\u001b[36m▓');
    expect(stripVTControlCharacters(coloured)).toBe(waterfall(planned(box, states, full), none, 80));
  });

  it.each([40, 60, 80, 120, 300])('fits %i columns, with bars of one width', (columns) => {
    const lines = drawn(planned(box, states, full), columns);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
    expect(new Set(bars(lines).map(({ length }) => length)).size).toBe(1);
  });

  it('uses a wider terminal, and 80 columns where the width is not told', () => {
    const width = (columns?: number) => bars(drawn(planned(box, states, full), columns))[0]?.length ?? 0;
    expect(width(120)).toBeGreaterThan(width(80));
    expect(width(undefined)).toBe(width(80));
  });

  it('cuts the words before the bar', () => {
    const name = `service-with-${'a-very-'.repeat(8)}long-name`;
    const long = manifest([vllm(name)], [mode('m', [name])]);
    const lines = drawn(planned(long, { [name]: 'stopped' }), 60);
    expect(lines.some((line) => line.endsWith('…') && line.length === 60)).toBe(true);
    expect(bars(lines)[0]).toHaveLength(10);
  });

  it('shows escapes in names instead of obeying them', () => {
    const [step, ...rest] = planned(box, states, full).steps;
    if (!step) throw new Error('no step');
    const { cards } = planned(box, states, full);
    const hostile = { cards, steps: [{ ...step, service: 'a\u001b[2J' }, ...rest] };
    expect(waterfall(hostile, none, 80)).toContain('a\\x1b[2J');
  });

  const pair = manifest([vllm('wide', { gpus: [0, 1] }), vllm('lone', { gpus: [2] })], [mode('m', ['wide'])]);

  it('draws cards that look the same once, and leaves out those that nothing touches', () => {
    const heads = (cards: GpuReading) =>
      drawn(planned(pair, { wide: 'stopped', lone: 'stopped' }, cards)).filter((line) => line.startsWith('GPU'));
    expect(heads(card(24, 24, 24))).toEqual(['GPU 0, 1']);
    expect(heads(card(24, 48, 24))).toEqual(['GPU 0', 'GPU 1']);
  });

  it('is empty when nothing is to do', () => {
    expect(waterfall(planned(pair, { wide: 'awake', lone: 'stopped' }, card(24, 24, 24)), none)).toBe('');
  });

  it('is numbers alone where no card is measured, and a question mark where nothing is declared either', () => {
    const unmeasured: GpuReading = { kind: 'unmeasured', why: { code: 'no-tool' } };
    expect(drawn(planned(box, states, unmeasured))).toMatchInlineSnapshot(`
      [
        "GPU 0",
        "+0.0 s  17.0 GiB  now",
        "+0.9 s   3.0 GiB  sleep chat L1",
        "+0.9 s  15.0 GiB  start embed",
      ]
    `);
    const bare = manifest([vllm('bare', { memory: {} })], [mode('m', ['bare'])]);
    expect(drawn(planned(bare, { bare: 'stopped' }))).toMatchInlineSnapshot(`
      [
        "GPU 0",
        "+0.0 s  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░· 0.0/24.0 GiB  now",
        "+0.0 s                                                    ?/24.0 GiB  start bare",
        "░ free  · reserve  (a sleep or stop counts at its end)",
      ]
    `);
  });

  it('does not call memory awake when nobody tells whose it is', () => {
    expect(legend(planned(box, states, holding(card(24), [18])))).toMatch(/^▓ asleep {2}█ in use {2}░ free/);
    const untold = holding(card(24), [18], [process(9, null, '/system.slice/x.service')]);
    expect(legend(planned(box, states, untold))).toContain('█ in use');
    expect(legend(planned(box, states, full))).toContain('█ awake');
  });
});

describe('the cells of a bar', () => {
  type Card = Omit<Filling, 'usedBytes' | 'asleepBytes'>;
  const cells = (card_: Card, usedBytes: number | null, asleepBytes = 0) =>
    Object.fromEntries(cellsOf({ ...card_, usedBytes, asleepBytes }, 20).filter(([, count]) => count > 0));
  const bare = { totalBytes: 100, reserveBytes: 10, foreignBytes: null };

  it.each<[string, Card, number | null, number, object]>([
    ['empty', bare, 0, 0, { free: 18, reserve: 2 }],
    ['half', bare, 50, 0, { awake: 10, free: 8, reserve: 2 }],
    ['into the reserve', bare, 95, 0, { awake: 19, reserve: 1 }],
    ['more than there is', bare, 130, 0, { awake: 20 }],
    ['all kinds', { ...bare, foreignBytes: 10 }, 50, 20, { foreign: 2, asleep: 4, awake: 4, free: 8, reserve: 2 }],
    ['less in use than said of others', { ...bare, foreignBytes: 60 }, 50, 20, { foreign: 10, free: 8, reserve: 2 }],
    ['less in use than declared asleep', bare, 10, 20, { asleep: 2, free: 16, reserve: 2 }],
    ['a small reserve', { ...bare, reserveBytes: 1 }, 50, 0, { awake: 10, free: 9, reserve: 1 }],
    ['all reserved', { ...bare, reserveBytes: 200 }, 0, 0, { reserve: 20 }],
    ['use not known', bare, null, 0, {}],
    ['size not known', { ...bare, totalBytes: null }, 50, 0, {}],
    ['no size', { ...bare, totalBytes: 0 }, 0, 0, {}],
  ])('%s', (_, card_, used, asleep, expected) => {
    expect(cells(card_, used, asleep)).toEqual(expected);
  });
});
