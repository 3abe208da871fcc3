/** The way back after a failure, its own time limit, and Ctrl-C at every stage of a switch. */
import { describe, expect, it } from 'vitest';
import { type SwitchOptions, switchMode } from '../../src/app/switch-mode.ts';
import { exitCodeOf, exitCodeOfResult } from '../../src/cli/exit-code.ts';
import { GpumodError, isGpumodError } from '../../src/core/errors.ts';
import { never } from '../../src/core/on-abort.ts';
import type { Event } from '../../src/core/report.ts';
import type { Host } from '../../src/execute/host.ts';
import { manifest, mode, NO_SLEEP, vllm } from '../fakes/build.ts';
import { type World, world } from '../fakes/world.ts';

const box = manifest([vllm('chat'), vllm('embed')], [mode('talk', ['chat']), mode('find', ['embed'])]);
const options: SwitchOptions = { cold: false, force: false, onFailure: 'restore', stop: never() };
const interruption = new GpumodError('interrupted', { signal: 'SIGINT' });

/** chat must be stopped for embed, which dies: the way back is a start of chat. */
const failing = () =>
  world(box, { chat: 'awake' }, { chat: { nap: NO_SLEEP }, embed: { diesAtStart: true } }, 9 * 2 ** 30);

/** As soon as systemd is asked to start it. */
async function whenStarted({ host }: World, unit: string, then: () => void): Promise<void> {
  const units = await host.units('user');
  const start = units.start.bind(units);
  units.start = (name, how) => {
    if (name === unit) then();
    return start(name, how);
  };
}

describe('the way back', () => {
  it('ends when its own time is up: says so, names what is not as before, exits 5', async () => {
    const here = failing();
    const result = await switchMode({ ...box, restoreMs: 20_000 }, 'find', options, here.host, (event) => {
      if (event.type === 'restoring') here.trouble('chat').neverReady = 'silent';
    });
    expect(result).toMatchObject({
      end: 'left',
      notRestored: ['chat'],
      error: { code: 'unit-failed' },
      restoreError: { code: 'timed-out', details: { what: 'restore', afterMs: 20_000 } },
    });
    expect(here.host.clock.ticksMs()).toBeLessThan(120_000); // of the world's own time
    expect(exitCodeOfResult(result)).toBe(5);
  });

  it('is not bounded by --timeout, which is of the way there', async () => {
    const here = failing();
    here.trouble('embed').diesAtStart = false;
    here.trouble('embed').neverReady = 'silent';
    const result = await switchMode(box, 'find', { ...options, timeoutMs: 10_000 }, here.host, () => {});
    expect(result).toMatchObject({ end: 'restored', error: { code: 'timed-out', details: { what: 'switch' } } });
    expect(exitCodeOfResult(result)).toBe(124);
  });

  it('tells why it failed', async () => {
    const here = failing();
    here.trouble('chat').diesAtStart = true;
    const result = await switchMode(box, 'find', options, here.host, () => {});
    expect(result).toMatchObject({
      end: 'left',
      error: { details: { service: 'embed' } },
      restoreError: { code: 'unit-failed', details: { service: 'chat' } },
    });
  });

  it('begins no new step after Ctrl-C: exits 130', async () => {
    const both = manifest([vllm('a'), vllm('b'), vllm('embed')], [mode('find', ['embed'])]);
    const trouble = { nap: NO_SLEEP };
    const here = world(
      both,
      { a: 'awake', b: 'awake' },
      { a: trouble, b: trouble, embed: { diesAtStart: true } },
      11 * 2 ** 30,
    );
    const stop = new AbortController();
    const events: string[] = [];
    let restoring = false;
    await whenStarted(here, 'a.service', () => restoring && stop.abort(interruption));
    const result = await switchMode(both, 'find', { ...options, stop: stop.signal }, here.host, (event) => {
      events.push(event.type);
      restoring ||= event.type === 'restoring';
    });
    expect(here.log.slice(3)).toEqual(['start a']);
    expect(here.states()).toContain('a:awake b:stopped');
    expect(events).toContain('stopping');
    expect(result).toMatchObject({ end: 'left', notRestored: ['b'], restoreError: { code: 'interrupted' } });
    expect(exitCodeOfResult(result)).toBe(130);
  });

  it('is not begun when Ctrl-C came before: exits 130', async () => {
    const here = failing();
    const stop = new AbortController();
    await whenStarted(here, 'embed.service', () => stop.abort(interruption));
    const result = await switchMode(box, 'find', { ...options, stop: stop.signal }, here.host, () => {});
    expect(here.log).toEqual(['stop chat', 'start embed']);
    expect(result).toMatchObject({ end: 'left', error: { code: 'unit-failed' }, notRestored: ['chat'] });
    expect(exitCodeOfResult(result)).toBe(130);
  });
});

describe('Ctrl-C before anything was touched', () => {
  /** The host whose part stops the switch when it is asked. */
  const stopping = (here: World, stop: AbortController, at: 'looks' | 'plan'): Host => ({
    ...here.host,
    ...(at === 'looks'
      ? {
          telemetry: {
            read: async (signal, detail) => {
              stop.abort(interruption);
              return here.host.telemetry.read(signal, detail);
            },
          },
        }
      : {
          figures: {
            ...here.host.figures,
            read: async (service) => {
              stop.abort(interruption);
              return here.host.figures.read(service);
            },
          },
        }),
  });
  const ended = async (here: World, host: Host, stop: AbortController, notify: (event: Event) => void = () => {}) => {
    const ending = await switchMode(box, 'find', { ...options, stop: stop.signal }, host, notify).catch(
      (error: unknown) => error,
    );
    expect(here.log).toEqual([]);
    return isGpumodError(ending) ? exitCodeOf(ending) : ending;
  };

  it.each(['looks', 'plan'] as const)('during the %s', async (at) => {
    const here = world(box, { chat: 'awake' });
    const stop = new AbortController();
    expect(await ended(here, stopping(here, stop, at), stop)).toBe(130);
  });

  it('during the wait for requests in flight', async () => {
    const here = world(box, { chat: 'awake' }, { chat: { inFlight: 1 } }, 9 * 2 ** 30);
    const stop = new AbortController();
    const code = await ended(here, here.host, stop, (event) => {
      if (event.type === 'draining') stop.abort(interruption);
    });
    expect(code).toBe(130);
  });

  it('between the plan and the first step', async () => {
    const here = world(box, { chat: 'awake' });
    const stop = new AbortController();
    const ending = await ended(here, here.host, stop, (event) => {
      if (event.type === 'plan') stop.abort(interruption);
    });
    expect(ending).toMatchObject({ end: 'untouched', error: { code: 'interrupted' } });
  });
});
