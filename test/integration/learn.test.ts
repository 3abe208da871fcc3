/** What a switch teaches: seconds of its steps, and what its services hold afterwards. */
import { describe, expect, it } from 'vitest';
import { observe } from '../../src/app/observe.ts';
import { recall } from '../../src/app/recall.ts';
import { switchMode } from '../../src/app/switch-mode.ts';
import type { GpuProcess } from '../../src/core/facts.ts';
import type { Sample } from '../../src/core/figures.ts';
import type { Host } from '../../src/execute/host.ts';
import { manifest, mode, vllm } from '../fakes/build.ts';
import { type World, world } from '../fakes/world.ts';

const GIB = 2 ** 30;
const box = manifest([vllm('chat'), vllm('embed')], [mode('talk', ['chat']), mode('find', ['embed'])]);
const SWITCH = { cold: false, force: false, onFailure: 'restore', stop: new AbortController().signal } as const;

/** The world, with a GPU tool that tells processes, and a book for what is learned: `chat sleep-1-seconds 0.24.0`. */
function watched(here: World) {
  const book: string[] = [];
  const values = new Map<string, number>();
  const held = (service: string, gib: number): GpuProcess => ({
    gpu: 0,
    pid: 1,
    bytes: gib * GIB,
    cgroup: `/user.slice/user-1000.slice/user@1000.service/app.slice/${service}.service`,
  });
  const host: Host = {
    ...here.host,
    telemetry: {
      async read(signal, detail) {
        const reading = await here.host.telemetry.read(signal);
        const processes = [held('chat', here.states().includes('chat:awake') ? 5.5 : 1.5), held('embed', 4)];
        return reading.kind === 'measured' && detail ? { ...reading, processes } : reading;
      },
    },
    figures: {
      read: async () => undefined,
      async add(service, samples: readonly Sample[], version) {
        book.push(...samples.map(({ measure }) => [service, measure, version ?? ''].join(' ').trim()));
        for (const { measure, value } of samples) values.set(`${service} ${measure}`, value);
      },
    },
  };
  const to = (target: string) => switchMode(box, target, SWITCH, host, () => {});
  return { book, values, to };
}

it('keeps the seconds of each step, the first sleep apart, and what each service holds then', async () => {
  const { book, values, to } = watched(world(box, { chat: 'awake', embed: 'asleep' }, { chat: { version: '0.24.0' } }));
  await to('find');
  expect(book.sort()).toEqual([
    'chat asleep-1-bytes 0.24.0',
    'chat sleep-1-first-seconds 0.24.0',
    'embed awake-bytes',
    'embed peak-bytes',
    'embed wake-1-seconds',
  ]);
  expect(values.get('chat asleep-1-bytes')).toBe(1.5 * GIB);
  await to('talk');
  book.splice(0);
  await to('find');
  expect(book).toContain('chat sleep-1-seconds 0.24.0');
  expect(values.get('chat sleep-1-seconds')).toBeGreaterThanOrEqual(0);
});

it('keeps nothing of a step that went otherwise than planned, nor of a switch that changes nothing', async () => {
  const refused = watched(world(box, { chat: 'awake', embed: 'asleep' }, { chat: { sleepRefused: true } }));
  await refused.to('find');
  expect(refused.book.sort()).toEqual(['embed awake-bytes', 'embed peak-bytes', 'embed wake-1-seconds']);
  const idle = watched(world(box, { chat: 'awake' }));
  await idle.to('talk');
  expect(idle.book).toEqual([]);
});

describe('the backup of a level-1 sleep, in host RAM', () => {
  const alone = manifest([vllm('chat'), vllm('embed', { idle: 'stop' })], [mode('talk', ['chat']), mode('rest', [])]);
  const backups = async (here: World, targets: readonly string[], takenGib: number) => {
    let availableBytes = 100 * GIB;
    const { clock, driver, units } = here.host;
    const host: Host = {
      ...here.host,
      hostMemory: () => ({ totalBytes: 128 * GIB, availableBytes }),
      driver: async (service) => {
        const { nap, ...rest } = await driver(service);
        if (!nap) return rest;
        const sleep: typeof nap.sleep = async (...args) => {
          await nap.sleep(...args);
          await clock.sleep(500, new AbortController().signal);
          availableBytes -= takenGib * GIB;
        };
        return { ...rest, nap: { ...nap, sleep } };
      },
      units: async (scope) => {
        const all = await units(scope);
        const stop: typeof all.stop = async (unit, options) => {
          await clock.sleep(500, options.signal);
          return all.stop(unit, options);
        };
        return { ...all, stop };
      },
    };
    for (const target of targets) await switchMode(alone, target, SWITCH, host, () => {});
    return here.figures.get('chat')?.samples['backup-bytes'] ?? [];
  };

  it('is what the machine had less afterwards, the first time in a process', async () => {
    expect(await backups(world(alone, { chat: 'awake' }), ['rest'], 3)).toEqual([3 * GIB]);
    expect(await backups(world(alone, { chat: 'awake' }), ['rest', 'talk', 'rest'], 3)).toEqual([3 * GIB]);
  });

  it('is not told where another step was at work, nor where next to nothing was taken', async () => {
    expect(await backups(world(alone, { chat: 'awake', embed: 'awake' }), ['rest'], 3)).toEqual([]);
    expect(await backups(world(alone, { chat: 'awake' }), ['rest'], 0.01)).toEqual([]);
  });
});

it('is not needed: a switch is as good without', async () => {
  const here = world(box, { chat: 'awake' });
  const host = { ...here.host, figures: { ...here.host.figures, add: () => Promise.reject(new Error('disk full')) } };
  expect((await switchMode(box, 'find', SWITCH, host, () => {})).end).toBe('reached');
});

it('knows a process that has slept at level 1, after it has woken too, and not the next one', async () => {
  const here = world(box, { chat: 'awake', embed: 'asleep' });
  const { to } = watched(here);
  const known = async () => {
    const now = await observe(box, here.host, SWITCH.stop);
    return (await recall(here.host, now, [])).get('chat')?.pinned;
  };
  expect(await known()).toBeUndefined();
  await to('find');
  await to('talk');
  expect(here.states()).toContain('chat:awake');
  expect(await known()).toBe(true);
  await to('off');
  await to('talk');
  expect(await known()).toBeUndefined();
});
