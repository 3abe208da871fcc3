/** The generic driver on the wire: the manifest's steps as they are written, and states only from its probes. */
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpService } from '../../../src/core/model.ts';
import { type SimHttp, type SimHttpOptions, startSimHttp } from '../../../src/demo/sim-http.ts';
import type { Driver } from '../../../src/engines/driver.ts';
import { openDriver } from '../../../src/engines/registry.ts';
import { http, none, TIMEOUTS } from '../../fakes/build.ts';
import { countingParts, fastClock } from '../../fakes/driver-parts.ts';

const never = new AbortController().signal;
const closing: SimHttp[] = [];
afterEach(async () => {
  for (const engine of closing.splice(0)) await engine.close();
});

const asleep = { path: '/is_sleeping', method: 'GET', json: 'is_sleeping', equals: true } as const;
const sleepStep = { method: 'POST', path: '/sleep?level=2', headers: { 'x-reason': 'switch' } } as const;
const nap = {
  sleep: [sleepStep],
  wake: [
    { method: 'POST', path: '/wake_up' },
    { method: 'POST', path: '/collective_rpc', body: { method: 'reload_weights' } },
    { method: 'POST', path: '/reset_prefix_cache', status: 200 },
  ],
} as const;

async function rig(with_: Partial<HttpService> = {}, options: SimHttpOptions = {}) {
  const engine = await startSimHttp(options);
  closing.push(engine);
  const driver: Driver = await openDriver('http', countingParts(fastClock()));
  const service = http('asr', { url: engine.url, asleep, nap, ...with_ });
  return {
    engine,
    probe: () => driver.probe(service, never),
    sleep: () => code(driver.nap?.sleep(service, 1, { force: false }, never)),
    wake: () => code(driver.nap?.wake(service, undefined, never)),
    sent: () =>
      engine.calls
        .filter(({ method }) => method === 'POST')
        .map(({ path, query, body }) => `${path}${query && `?${query}`} ${body}`.trim()),
  };
}

const code = (work: Promise<unknown> | undefined) =>
  (work ?? Promise.resolve()).then(
    () => 'done',
    (error: { code?: string; details?: object }) =>
      `${error.code}: ${Object.values({ ...error.details, service: '' }).join(' ')}`.replace(/ +/g, ' ').trim(),
  );

describe('steps', () => {
  it('are sent in order, as they are written', async () => {
    const it = await rig();
    expect(await it.sleep()).toBe('done');
    expect(await it.wake()).toBe('done');
    expect(it.sent()).toEqual([
      '/sleep?level=2',
      '/wake_up',
      '/collective_rpc {"method":"reload_weights"}',
      '/reset_prefix_cache',
    ]);
  });

  it('end at the first that is refused', async () => {
    const it = await rig();
    await it.sleep();
    it.engine.failNext('/collective_rpc', 500, { detail: 'no such file' });
    expect(await it.wake()).toBe('engine-refused: POST /collective_rpc 500 no such file');
    expect(it.sent().slice(1)).toEqual(['/wake_up', '/collective_rpc {"method":"reload_weights"}']);
  });

  it('know the status they expect', async () => {
    const it = await rig({ nap: { ...nap, sleep: [{ ...sleepStep, status: 202 }] } });
    expect(await it.sleep()).toBe('engine-refused: POST /sleep?level=2 200 {"status":"ok"}');
    const accepted = await rig({ nap: { ...nap, sleep: [{ ...sleepStep, status: 418 }, sleepStep] } });
    accepted.engine.failNext('/sleep', 418);
    expect(await accepted.sleep()).toBe('done');
  });

  it('have a timeout of their own', async () => {
    const it = await rig({ nap: { ...nap, sleep: [{ ...sleepStep, timeoutMs: 300 }] } });
    it.engine.stallNext('/sleep');
    expect(await it.sleep()).toBe('timed-out: POST /sleep?level=2 300');
    expect(it.sent()).toHaveLength(1);
  });

  it('are not believed: the probe is polled until the time is up', async () => {
    const it = await rig({ timeouts: { ...TIMEOUTS, sleepMs: 500 } }, { stuckIsSleeping: false });
    expect(await it.sleep()).toBe('timed-out: sleep 500');
    expect(it.engine.calls.filter(({ path }) => path === '/is_sleeping').length).toBeGreaterThan(2);
  });

  it('are not sent to an engine in no known state', async () => {
    const it = await rig();
    it.engine.failNext('/is_sleeping', 500, 'boom');
    expect(await it.sleep()).toBe('engine-contradicts: ready garbled');
    expect(it.sent()).toEqual([]);
  });

  it.each([{ nap: undefined }, { asleep: undefined }])('%o: it can not sleep', async (without) => {
    const service = Object.fromEntries(Object.entries({ asleep, nap, ...without }).filter(([, value]) => value));
    const engine = await startSimHttp();
    closing.push(engine);
    const driver = await openDriver('http', countingParts());
    const lame = http('asr', { url: engine.url, ...service });
    expect(await driver.probe(lame, never)).toEqual({ kind: 'ready', nap: { can: false, why: { code: 'no-steps' } } });
    expect(await code(driver.nap?.sleep(lame, 1, { force: false }, never))).toBe('engine-cannot: sleep no-steps');
  });
});

describe('a probe', () => {
  it('believes "asleep" before "ready"', async () => {
    const it = await rig({}, { stuckIsSleeping: true });
    expect(await it.probe()).toEqual({ kind: 'asleep', nap: { can: true, levels: [1] } });
  });

  it.each([
    ['/health', 503, { detail: 'loading' }, 'loading'],
    ['/health', 500, 'boom', 'garbled'],
    ['/health', 404, undefined, 'garbled'],
    ['/health', 401, undefined, 'denied'],
    ['/is_sleeping', 404, { detail: 'Not Found' }, 'ready'],
    ['/is_sleeping', 500, 'boom', 'garbled'],
    ['/is_sleeping', 403, undefined, 'denied'],
    ['/is_sleeping', 200, { asleep: true }, 'garbled'],
    ['/is_sleeping', 200, '<html>', 'garbled'],
    ['/is_sleeping', 200, { is_sleeping: 'true' }, 'ready'],
  ] as const)('%s answers %i %j: %s', async (path, status, body, kind) => {
    const it = await rig();
    it.engine.failNext(path, status, body);
    expect((await it.probe()).kind).toBe(kind);
  });

  it.each([
    [{ path: '/health', method: 'GET', json: 'status', equals: 'ok' }, 'ready'],
    [{ path: '/health', method: 'GET', json: 'status' }, 'ready'],
    [{ path: '/health', method: 'GET', json: 'status', equals: 'warm' }, 'loading'],
    [{ path: '/health', method: 'GET', json: 'model.0.state', equals: 'ok' }, 'garbled'],
    [{ path: '/health', method: 'GET', status: 204 }, 'garbled'],
    [{ path: '/nowhere', method: 'GET', status: 404 }, 'ready'],
    [{ path: '/health', method: 'POST', status: 405 }, 'ready'],
  ] as const)('%j: %s', async (ready, kind) => {
    expect((await (await rig({ ready })).probe()).kind).toBe(kind);
  });
});

it('a unit without an engine is as it is', async () => {
  const driver = await openDriver('none', countingParts());
  expect(await driver.probe(none('trainer'), never)).toMatchObject({ kind: 'ready', nap: { can: false } });
  expect(driver.nap).toBeUndefined();
});
