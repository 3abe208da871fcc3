/** The use cases over a machine in memory: order, failure, fallback, restore, in-flight requests, interruption. */
import { describe, expect, it } from 'vitest';
import { changeService } from '../../src/app/service.ts';
import { status } from '../../src/app/status.ts';
import { type SwitchOptions, switchMode } from '../../src/app/switch-mode.ts';
import { exitCodeOf, exitCodeOfResult } from '../../src/cli/exit-code.ts';
import { errorDocument } from '../../src/cli/view/documents.ts';
import { errorWords } from '../../src/cli/view/words.ts';
import { type AnyGpumodError, GpumodError } from '../../src/core/errors.ts';
import type { Manifest } from '../../src/core/model.ts';
import type { Event } from '../../src/core/report.ts';
import { GIB } from '../../src/core/units.ts';
import { http, manifest, mode, NO_SLEEP, none, vllm } from '../fakes/build.ts';
import { world as machine, type Trouble, type World } from '../fakes/world.ts';

const box = manifest(
  [vllm('chat', { idle: 'sleep' }), vllm('embed'), vllm('tts', { idle: 'stop' })],
  [mode('talk', ['chat']), mode('find', ['embed']), mode('speak', ['tts', 'chat'])],
);
/** Too small for two of them awake: what is to awake must wait for what is to sleep. */
const TIGHT = 9 * GIB;
const world = (
  of: Manifest,
  states: Parameters<typeof machine>[1],
  troubles: Readonly<Record<string, Trouble>> = {},
  bytes: number | null = TIGHT,
) => machine(of, states, troubles, bytes);
const never = () => new AbortController().signal;

async function switched(
  here: World,
  to: string,
  with_: Partial<SwitchOptions> = {},
  notify: (event: Event) => void = () => {},
) {
  const options: SwitchOptions = { cold: false, force: false, onFailure: 'restore', stop: never(), ...with_ };
  return switchMode(box, to, options, here.host, notify);
}

it('frees, then takes, and verifies the mode at the end', async () => {
  const here = world(box, { chat: 'awake', embed: 'asleep', tts: 'stopped' });
  const result = await switched(here, 'find');
  expect(here.log).toEqual(['sleep1 chat', 'wake embed']);
  expect(result.end).toBe('reached');
  expect(here.last.mode).toBe('find');
  expect(result.reports.map(({ freedBytes }) => freedBytes)).toEqual([4 * GIB, -4 * GIB]);
});

it('changes nothing the second time', async () => {
  const here = world(box, { chat: 'awake' });
  expect((await switched(here, 'talk')).end).toBe('unchanged');
  expect(here.log).toEqual([]);
});

it('says that nothing was touched only where nothing was sent', async () => {
  const here = world(box, { chat: 'awake', tts: 'awake' }, { chat: { stopFails: true } });
  const units = await here.host.units('user');
  const gone = async () => {
    throw new GpumodError('bus-unreachable', { scope: 'user', address: 'unix:path=/x', reason: 'gone' });
  };
  const stop: typeof units.stop = async (unit, how) => {
    if (unit === 'tts.service') return gone();
    await new Promise(setImmediate); // the other one is the first to fail
    return units.stop(unit, how);
  };
  const options = { cold: false, force: false, onFailure: 'restore', stop: never() } as const;
  const ended = async (stopOf: typeof units.stop, of = here, mode = 'off') => {
    const host = { ...of.host, units: async () => ({ ...(await of.host.units('user')), stop: stopOf }) };
    const result = await switchMode(box, mode, options, host, () => {});
    return [result.end, result.reports.map(({ outcome }) => outcome.kind).sort(), exitCodeOfResult(result)];
  };
  expect(await ended(stop)).toEqual(['untouched', ['failed', 'failed'], 1]);
  expect(here.log).toEqual(['stop chat']);
  expect(await ended(gone)).toEqual(['untouched', ['failed', 'failed'], 69]);
  const liar = world(box, { chat: 'awake', embed: 'asleep' }, { chat: { sleepLies: true } });
  expect(await ended(gone, liar, 'find')).toEqual(['untouched', ['failed', 'skipped'], 1]);
  expect(liar.log).toEqual(['sleep1 chat']);
});

it('works without a GPU tool: nothing is measured, nothing invented', async () => {
  const here = world(box, { chat: 'awake', embed: 'asleep' }, {}, null);
  const result = await switched(here, 'find');
  expect(result.end).toBe('reached');
  expect(result.reports.map((report) => 'freedBytes' in report)).toEqual([false, false]);
});

describe('fallbacks that the plan foresaw', () => {
  it.each([
    ['a refused sleep', { sleepRefused: true }],
    ['a sleep that lies about its state', { sleepLies: true }],
    ['a sleep that frees nothing', { sleepFreesNothing: true }],
  ])('%s: stop', async (_, trouble) => {
    const here = world(box, { chat: 'awake', embed: 'asleep' }, { chat: trouble });
    const result = await switched(here, 'find');
    expect(here.log).toEqual(['sleep1 chat', 'stop chat', 'wake embed']);
    expect(result.end).toBe('reached');
    expect(result.reports[0]?.outcome).toMatchObject({ kind: 'done', fallback: 'stop' });
  });

  it('a refused wake: stop and start', async () => {
    const here = world(box, { chat: 'asleep' }, { chat: { wakeRefused: true } });
    expect((await switched(here, 'talk')).end).toBe('reached');
    expect(here.log).toEqual(['wake chat', 'stop chat', 'start chat']);
  });

  it('what can not sleep is stopped at once', async () => {
    const here = world(box, { chat: 'awake', embed: 'asleep' }, { chat: { nap: NO_SLEEP } });
    await switched(here, 'find');
    expect(here.log).toEqual(['stop chat', 'wake embed']);
  });
});

describe('an answer of a process that is not the unit', () => {
  const owner = { kind: 'other', place: '8000', pid: 4711, command: 'python3 -m http.server' } as const;
  const taken = { service: 'chat', unit: 'chat.service', place: '8000', pid: 4711, command: 'python3 -m http.server' };

  it('is no readiness: the start fails, and what was there is restored', async () => {
    const here = world(box, { embed: 'awake' }, { chat: { owner } });
    const result = await switched(here, 'talk');
    expect(result).toMatchObject({ end: 'restored', error: { code: 'port-taken', details: taken } });
    expect(exitCodeOfResult(result)).toBe(1);
    expect(here.log).toEqual(['sleep1 embed', 'start chat', 'stop chat', 'wake embed']);
  });

  it('is nothing that a restart would cure: refused, nothing touched', async () => {
    const here = world(box, { chat: 'awake', embed: 'awake' }, { chat: { owner } });
    const refused = await switched(here, 'talk').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'refused', details: { problems: [{ code: 'port-taken', ...taken }] } });
    expect(exitCodeOf(refused as AnyGpumodError)).toBe(75);
    expect(here.log).toEqual([]);
  });

  it('does not keep the unit from being stopped', async () => {
    const here = world(box, { chat: 'awake' }, { chat: { owner } });
    expect((await switched(here, 'off')).end).toBe('reached');
    expect(here.log).toEqual(['stop chat']);
  });

  it('is said of an answer that is no engine either', async () => {
    const here = world(box, {}, { chat: { neverReady: 'garbled', owner } });
    expect(await switched(here, 'talk')).toMatchObject({ error: { code: 'port-taken' } });
  });

  it('is believed where there is no telling', async () => {
    const untold = { kind: 'untold', why: { code: 'other-user' } } as const;
    const here = world(box, {}, { chat: { owner: untold } });
    const result = await switched(here, 'talk');
    expect(result.end).toBe('reached');
    expect(result.after.services.get('chat')?.owner).toEqual(untold);
  });
});

describe('a failed start', () => {
  it('ends the switch, takes nothing more, and restores what was there', async () => {
    const here = world(box, { chat: 'asleep', embed: 'awake' }, { tts: { diesAtStart: true } }, 12 * GIB);
    const result = await switched(here, 'speak');
    expect(here.log).toEqual(['wake chat', 'sleep1 embed', 'start tts', 'wake embed', 'sleep1 chat']);
    expect(result).toMatchObject({
      end: 'restored',
      error: { code: 'unit-failed', details: { journal: ['RuntimeError: something broke'] } },
    });
    expect(here.states()).toBe('chat:asleep embed:awake tts:failed');
  });

  it('is explained by what its journal says, also further up than is shown', async () => {
    const gate =
      'ValueError: Free memory on device cuda:0 (3.25/23.43 GiB) on startup is less than desired GPU memory utilization (0.96, 22.49 GiB).';
    const journal = [
      'INFO loading',
      gate,
      ...Array(99).fill('  File "core.py", line 1, in run'),
      'RuntimeError: broken',
    ];
    const { error } = await switched(world(box, {}, { chat: { diesAtStart: true, journal } }), 'talk');
    expect(error).toMatchObject({
      code: 'unit-failed',
      details: { cause: { code: 'utilization-gate', facts: { free: '3.25', wanted: '22.49' }, line: gate } },
    });
    expect(error?.code === 'unit-failed' && error.details.journal).toHaveLength(10);
    expect(error && errorWords(error).what).toContain(
      `\n  and before that:\n    ${gate}\n  cause: vLLM wants 22.49 GiB`,
    );
    expect(error && errorDocument(error)).toMatchObject({
      error: {
        details: { cause: { code: 'utilization-gate', fix: expect.stringContaining('--gpu-memory-utilization 0.13') } },
      },
    });
  });

  it('of a unit that dies while its engine loads is the same', async () => {
    const here = world(box, {}, { chat: { diesWhileLoading: true } }, 12 * GIB);
    const result = await switched(here, 'speak');
    expect(here.log).toEqual(['start chat']);
    expect(result).toMatchObject({ end: 'untouched', error: { code: 'unit-failed' } });
    expect(result.reports.map(({ outcome }) => outcome.kind)).toEqual(['failed', 'skipped']);
  });

  it('of a unit in auto-restart stops it', async () => {
    const here = world(box, {}, { chat: { diesAtStart: 'loop' } });
    expect(await switched(here, 'talk')).toMatchObject({ end: 'untouched', error: { details: { restarting: true } } });
    expect(here.log).toEqual(['start chat', 'stop chat']);
  });

  it('leaves what is left when asked to', async () => {
    const here = world(box, { embed: 'awake' }, { chat: { diesAtStart: true } });
    expect(await switched(here, 'talk', { onFailure: 'leave' })).toMatchObject({ end: 'left', notRestored: ['embed'] });
    expect(here.log).toEqual(['sleep1 embed', 'start chat']);
  });

  it('says so when the restore fails too', async () => {
    const here = world(
      box,
      { embed: 'awake' },
      { chat: { diesAtStart: true }, embed: { wakeRefused: true, diesAtStart: true } },
    );
    expect(await switched(here, 'talk')).toMatchObject({ end: 'left', notRestored: ['embed'] });
  });

  it('does not wait out the start timeout for an engine that talks nonsense', async () => {
    const here = world(box, {}, { chat: { neverReady: 'garbled' } });
    expect(await switched(here, 'talk')).toMatchObject({
      error: { code: 'engine-contradicts', details: { reported: 'not-understood', detail: '<html>' } },
    });
    expect(here.host.clock.ticksMs()).toBeLessThan(60_000); // of the world's own time
    expect(here.states()).toContain('chat:stopped');
  });

  it('that costs a sleeper is not called restored', async () => {
    const here = world(box, { chat: 'asleep' }, { chat: { wakeRefused: true, diesAtStart: true } });
    const result = await switched(here, 'talk');
    expect(here.log).toEqual(['wake chat', 'stop chat', 'start chat']);
    expect(result).toMatchObject({ end: 'left', notRestored: ['chat'] });
    expect(exitCodeOfResult(result)).toBe(5);
  });

  it('for want of room leaves the sleeper asleep: a restart would need the same room', async () => {
    const services = [
      vllm('chat', { memory: { awakeBytes: 4 * GIB, asleepBytes: 1 * GIB } }),
      none('job', { idle: 'stop', memory: {} }), // it may hold what is in use beyond the declared figures
    ];
    const roomy = { ...manifest(services, [mode('talk', ['chat'])]), gpuReserveBytes: 0 };
    const here = world(roomy, { chat: 'asleep', job: 'awake' }, {}, 4 * GIB + 2 ** 28);
    here.foreign(3 * GIB);
    const options: SwitchOptions = { cold: false, force: false, onFailure: 'restore', stop: never() };
    const untold = { ...here.host, telemetry: { read: (signal: AbortSignal) => here.host.telemetry.read(signal) } };
    const result = await switchMode(roomy, 'talk', options, untold, () => {});
    expect(here.log).toEqual(['stop job', 'start job']);
    expect(result).toMatchObject({ end: 'restored', error: { code: 'memory-not-free' } });
    expect(result.plan.warnings.map(({ code }) => code)).toContain('card-too-full');
  });

  it('notices an engine that came up on the CPU', async () => {
    const here = world(box, {}, { chat: { onTheCpu: true } });
    expect(await switched(here, 'talk')).toMatchObject({
      error: { code: 'memory-contradicts', details: { wanted: 'take' } },
    });
    expect(here.states()).toContain('chat:stopped');
  });
});

it('takes nothing on a card whose release failed', async () => {
  const here = world(box, { chat: 'awake', embed: 'asleep' }, { chat: { nap: NO_SLEEP, stopFails: true } });
  const result = await switched(here, 'find');
  expect(here.log).toEqual(['stop chat']);
  expect(result.end).toBe('untouched');
});

describe('requests in flight', () => {
  it('are waited for', async () => {
    const here = world(box, { chat: 'awake', embed: 'asleep' }, { chat: { inFlight: 2 } });
    const events: string[] = [];
    const result = await switched(here, 'find', {}, (event) => {
      events.push(event.type);
      if (event.type === 'draining') here.trouble('chat').inFlight = 0;
    });
    expect(result.end).toBe('reached');
    expect(events.indexOf('draining')).toBeLessThan(events.indexOf('step-started'));
  });

  it('past the deadline end the switch before anything was touched', async () => {
    const here = world(box, { chat: 'awake', embed: 'awake' }, { chat: { inFlight: 2 } });
    await expect(switched(here, 'find')).rejects.toMatchObject({
      code: 'requests-in-flight',
      details: { busy: [{ service: 'chat', requests: 2 }] },
    });
    expect(here.log).toEqual([]);
  });

  it('are cut with --force', async () => {
    const here = world(box, { chat: 'awake', embed: 'asleep' }, { chat: { inFlight: 2 } });
    expect((await switched(here, 'find', { force: true })).end).toBe('reached');
  });
});

it('names the service and what it said last when the time is up', async () => {
  const slow = manifest([vllm('chat')], [mode('talk', ['chat'])]);
  const here = world(slow, {}, { chat: { neverReady: 'silent' } });
  const options: SwitchOptions = { cold: false, force: false, onFailure: 'restore', stop: never() };
  expect(await switchMode(slow, 'talk', options, here.host, () => {})).toMatchObject({
    error: { code: 'timed-out', details: { what: 'ready', service: 'chat', lastly: { code: 'no-answer' } } },
  });
});

it('begins no new step after Ctrl-C, and does not restore', async () => {
  const here = world(box, { chat: 'awake', embed: 'asleep' });
  const stop = new AbortController();
  const result = await switched(here, 'find', { stop: stop.signal }, (event) => {
    if (event.type === 'step-started') stop.abort(new GpumodError('interrupted', { signal: 'SIGINT' }));
  });
  expect(here.log).toEqual(['sleep1 chat']);
  expect(result).toMatchObject({ end: 'left', error: { code: 'interrupted' } });
  expect([...result.after.services.values()].map(({ state }) => state.kind)).toEqual([
    'sleeping',
    'sleeping',
    'stopped',
  ]);
});

it('never says that nothing was touched when the bus is lost after acts', async () => {
  const here = world(box, { chat: 'awake', embed: 'asleep' });
  const result = await switched(here, 'find', {}, (event) => {
    if (event.type === 'step-finished' && event.report.step.kind === 'wake') here.loseBus();
  });
  expect(here.log).toEqual(['sleep1 chat', 'wake embed']);
  expect(result).toMatchObject({
    end: 'left',
    error: { code: 'bus-unreachable' },
    notRestored: ['chat', 'embed', 'tts'],
  });
  expect(exitCodeOfResult(result)).toBe(5);
});

it('bounds the wait for requests in flight too', async () => {
  const here = world(box, { chat: 'awake', embed: 'awake' }, { chat: { inFlight: 2 } });
  await expect(switched(here, 'find', { timeoutMs: 1 })).rejects.toMatchObject({
    code: 'timed-out',
    details: { what: 'switch' },
  });
  expect(here.log).toEqual([]);
});

it('converges from wherever an earlier switch was killed', async () => {
  for (const [chat, embed] of [
    ['asleep', 'asleep'],
    ['awake', 'asleep'],
    ['asleep', 'awake'],
    ['stopped', 'asleep'],
    ['awake', 'awake'],
  ] as const) {
    const here = world(box, { chat, embed });
    expect((await switched(here, 'find')).after.services.get('embed')?.state.kind).toBe('awake');
    expect(here.states()).toMatch(/chat:(asleep|stopped) embed:awake/);
  }
});

describe('one service by name', () => {
  const change = (
    here: World,
    ...[name, verb, with_]: [string, 'sleep' | 'wake' | 'start' | 'stop' | 'restart', object?]
  ) =>
    changeService(
      box,
      name,
      verb,
      { force: false, onFailure: 'restore', stop: never(), ...with_ },
      here.host,
      () => {},
    );

  it('sleeps at the level asked for', async () => {
    const here = world(box, { chat: 'awake' });
    await change(here, 'chat', 'sleep', { level: 2 });
    expect(here.log).toEqual(['sleep2 chat']);
  });
  it('is never stopped when asked to sleep', async () => {
    const here = world(box, { chat: 'awake' }, { chat: { nap: NO_SLEEP } });
    await expect(change(here, 'chat', 'sleep')).rejects.toMatchObject({
      code: 'engine-cannot',
      details: { reason: 'dev-mode-off' },
    });
    expect(here.log).toEqual([]);
  });
  it('leaves the others alone', async () => {
    const here = world(box, { chat: 'awake', embed: 'awake' }, {}, 24 * GIB);
    await change(here, 'tts', 'start');
    expect(here.log).toEqual(['start tts']);
  });
  it('does not wake what is stopped', async () => {
    const here = world(box, {});
    await expect(change(here, 'chat', 'wake')).rejects.toMatchObject({
      code: 'engine-cannot',
      details: { reason: 'stopped' },
    });
  });
  it('restarts', async () => {
    const here = world(box, { chat: 'awake' });
    expect((await change(here, 'chat', 'restart')).end).toBe('reached');
    expect(here.log).toEqual(['stop chat', 'start chat']);
  });
  it.each(['restart', 'wake', 'start'] as const)('is refused where it has no room: %s of a sleeper', async (verb) => {
    const here = world(box, { chat: 'asleep', embed: 'awake', tts: 'awake' }, {}, 12 * GIB);
    await expect(change(here, 'chat', verb)).rejects.toMatchObject({ code: 'refused' });
    expect(here.log).toEqual([]);
  });
  it('starting the awake changes nothing', async () => {
    const here = world(box, { chat: 'awake' });
    expect((await change(here, 'chat', 'start')).end).toBe('unchanged');
  });
});

describe('which mode is current', () => {
  const twins = manifest(
    [vllm('a'), http('b'), none('c')],
    [mode('code', ['a']), mode('hack', ['a']), mode('talk', ['b'])],
  );
  const currentIn = async (states: Parameters<typeof world>[1], last?: string) => {
    const here = world(twins, states);
    if (last) here.last.mode = last;
    return (await status(twins, here.host, never())).current;
  };
  it('of equals, the one last switched to', async () => {
    expect(await currentIn({ a: 'awake' }, 'hack')).toEqual({ kind: 'mode', mode: 'hack', also: ['code'] });
    expect(await currentIn({ a: 'awake' })).toEqual({ kind: 'mode', mode: 'code', also: ['hack'] });
  });
  it('off, when nothing runs', async () => expect(await currentIn({})).toMatchObject({ mode: 'off' }));
  it('none, with the nearest and what differs', async () =>
    expect(await currentIn({ a: 'awake', c: 'awake' })).toEqual({ kind: 'none', nearest: 'code', differs: ['c'] }));
});
