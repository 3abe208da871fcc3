/** `gpumod back`: where it leads, after switches that ended in every way. */
import { describe, expect, it } from 'vitest';
import { back, planBack } from '../../src/app/back.ts';
import { fileInterrupted } from '../../src/app/interrupted.ts';
import { changeService } from '../../src/app/service.ts';
import { type SwitchOptions, switchMode } from '../../src/app/switch-mode.ts';
import { GpumodError } from '../../src/core/errors.ts';
import type { Manifest } from '../../src/core/model.ts';
import { never } from '../../src/core/on-abort.ts';
import type { HistoryEntry, Underway } from '../../src/core/record.ts';
import type { Event } from '../../src/core/report.ts';
import type { Host } from '../../src/execute/host.ts';
import { manifest, mode, vllm } from '../fakes/build.ts';
import { world } from '../fakes/world.ts';

const services = [vllm('chat'), vllm('embed'), vllm('tts')];
const modes = [mode('talk', ['chat']), mode('find', ['embed']), mode('speak', ['tts'])];
const box = manifest(services, modes);
const options: SwitchOptions = { cold: false, force: false, onFailure: 'restore', stop: never() };

function machine(states: Parameters<typeof world>[1], gib = 9) {
  const here = world(box, states, {}, gib * 2 ** 30);
  const events: Event[] = [];
  const to = (name: string, with_: Partial<SwitchOptions> = {}, notify: (event: Event) => void = () => {}) =>
    switchMode(box, name, { ...options, ...with_ }, here.host, notify);
  const goBack = (of: Manifest = box, host: Host = here.host) => back(of, options, host, (event) => events.push(event));
  return { ...here, to, goBack, events };
}

it('leads to the mode before; twice is where one was', async () => {
  const { to, goBack, states } = machine({ chat: 'awake' });
  await to('find');
  expect(await goBack()).toMatchObject({ target: 'talk', end: 'reached' });
  expect(states()).toBe('chat:awake embed:asleep tts:stopped');
  expect(await goBack()).toMatchObject({ target: 'find', end: 'reached' });
  expect(await goBack()).toMatchObject({ target: 'talk' });
});

it('leads to what was there where no mode held, and from there again to the mode', async () => {
  const { to, goBack, states } = machine({ chat: 'awake', tts: 'awake' }, 12);
  await to('find');
  expect(await goBack()).toMatchObject({ target: 'before find', end: 'reached' });
  expect(states()).toBe('chat:awake embed:stopped tts:awake'); // as it was, not as a mode would have it
  expect(await goBack()).toMatchObject({ target: 'find', end: 'reached' });
});

it('passes over services changed by name, switches that were undone, and those that stayed in their mode', async () => {
  const here = machine({ chat: 'awake' });
  await here.to('find');
  await changeService(box, 'chat', 'stop', options, here.host, () => {});
  here.trouble('tts').diesAtStart = true;
  expect((await here.to('speak')).end).toBe('restored');
  expect(await here.goBack()).toMatchObject({ target: 'talk', end: 'reached' });
});

describe('after a switch that was cut short', () => {
  const cut = async (here: ReturnType<typeof machine>) => {
    const stop = new AbortController();
    return here.to('speak', { stop: stop.signal }, (event) => {
      if (event.type === 'step-started') stop.abort(new GpumodError('interrupted', { signal: 'SIGINT' }));
    });
  };

  it('by Ctrl-C: leads to what was there before it', async () => {
    const here = machine({ chat: 'awake' });
    await here.to('find');
    expect((await cut(here)).end).toBe('left');
    expect(here.states()).toBe('chat:asleep embed:asleep tts:stopped');
    expect(await here.goBack()).toMatchObject({ target: 'before speak', end: 'reached' });
    expect(here.states()).toBe('chat:asleep embed:awake tts:stopped');
  });

  it('by kill -9: the same, from its journal, also where no history can be kept', async () => {
    for (const full of [false, true]) {
      const here = machine({ embed: 'asleep' });
      const entry: Underway = {
        version: 1,
        id: 'x',
        command: 'mode switch speak',
        target: 'speak',
        isMode: true,
        from: 'find',
        beganMs: 0,
        before: { embed: { state: 'awake' }, chat: { state: 'failed', broken: true }, gone: { state: 'awake' } },
        steps: [],
        phase: 'switch',
        by: { pid: 1, life: '', sinceMs: 0, command: '' },
      };
      let kept: Underway | undefined = entry;
      const refuse = async () => {
        throw new Error('ENOSPC');
      };
      const host: Host = {
        ...here.host,
        history: full ? { ...here.host.history, append: refuse } : here.host.history,
        switchJournal: {
          ...here.host.switchJournal,
          read: async () => kept && { entry: kept, isAtWork: false },
          clear: async () => {
            kept = undefined;
          },
        },
      };
      await fileInterrupted(host);
      expect(await here.goBack(box, host)).toMatchObject({ target: 'before speak', end: 'reached' });
      expect(here.states()).toBe('chat:stopped embed:awake tts:stopped');
      expect(here.events).toContainEqual({ type: 'gone', services: ['gone'] });
    }
  });

  it('a way back that was cut is gone on with', async () => {
    const here = machine({ chat: 'awake' });
    await here.to('find');
    const stop = new AbortController();
    const first = await back(box, { ...options, stop: stop.signal }, here.host, (event) => {
      if (event.type === 'step-started') stop.abort(new GpumodError('interrupted', { signal: 'SIGINT' }));
    });
    expect(first).toMatchObject({ target: 'talk', end: 'left' });
    expect(await here.goBack()).toMatchObject({ target: 'talk', end: 'reached' });
  });
});

describe('a manifest that has changed since', () => {
  it('without the mode: its services as they were, those that are gone named, new ones left alone', async () => {
    const here = machine({ chat: 'awake', tts: 'awake' });
    await here.host.history.append({
      ...({ version: 1, id: 'a', command: 'mode switch find', beganMs: 0, steps: [], plannedSeconds: 0 } as const),
      ...{ isMode: true, from: 'old', target: 'find', end: 'reached' },
      before: { chat: { state: 'sleeping', level: 1 }, old: { state: 'awake' } },
    } satisfies HistoryEntry);
    expect(await here.goBack()).toMatchObject({ target: 'before find', end: 'reached' });
    expect(here.states()).toBe('chat:asleep embed:stopped tts:awake');
    expect(here.events).toContainEqual({ type: 'gone', services: ['old'] });
  });
});

it('knows nothing without a history, and changes nothing for a look', async () => {
  const here = machine({ chat: 'awake' });
  await expect(here.goBack()).rejects.toMatchObject({ code: 'no-mode-before' });
  await here.to('find');
  const before = here.log.length;
  expect((await planBack(box, options, here.host, () => {})).plan.target).toBe('talk');
  expect(here.log).toHaveLength(before);
});
