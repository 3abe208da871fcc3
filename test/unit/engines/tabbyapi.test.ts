/** TabbyAPI's driver: its keys, its builds, other models than ours, and that no answer is taken for the deed. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Secret, TabbyapiService } from '../../../src/core/model.ts';
import { openServer, type Reply, type SimEngine } from '../../../src/demo/sim-server.ts';
import { openDriver } from '../../../src/engines/registry.ts';
import { TIMEOUTS, tabbyapi } from '../../fakes/build.ts';
import { countingParts, fastClock } from '../../fakes/driver-parts.ts';
import { startTabby, type TabbyOptions } from '../../fakes/engines/tabbyapi.ts';
import { code } from '../../kit/outcome.ts';

const never = new AbortController().signal;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function drive(engine: Pick<SimEngine, 'url' | 'calls'>, with_: Partial<TabbyapiService> = {}) {
  const secret = async (from: Secret) => ('env' in from ? from.env : 'unset');
  const parts = { ...countingParts(fastClock()), secret };
  const driver = await openDriver('tabbyapi', parts);
  const service = tabbyapi('chat', { url: engine.url, ...with_ });
  return {
    driver,
    service,
    parts,
    probe: () => driver.probe(service, never),
    sleep: () => code(driver.nap?.sleep(service, 2, { force: false }, never)),
    wake: () => code(driver.nap?.wake(service, undefined, never)),
    sent: () => engine.calls.filter(({ method }) => method !== 'GET').map(({ path }) => path),
  };
}

async function rig(options: TabbyOptions = {}, with_: Partial<TabbyapiService> = {}) {
  const engine = await startTabby(options);
  closing.push(() => engine.close());
  return { engine, ...(await drive(engine, with_)) };
}

async function lookAlike(answers: Readonly<Record<string, Reply>>) {
  const server = await openServer({
    answer: ({ path }) => answers[path] ?? { status: 404, body: { detail: 'Not Found' } },
  });
  await server.listen();
  closing.push(() => server.exit({ code: 0 }));
  return drive(server);
}

const NAP = { can: true, levels: [2] };
const KEYS = { api: 'user-key', admin: 'admin-key' };
const API_KEY = { env: KEYS.api };
const ADMIN_KEY = { env: KEYS.admin };

describe('a probe', () => {
  it.each([false, true])('of one that holds no model: asleep (old build: %s)', async (old) => {
    expect(await (await rig({ old })).probe()).toEqual({ kind: 'asleep', level: 2, nap: NAP });
  });

  it.each([
    ['m', ['m'], []],
    ['other', ['m'], ['m']],
    ['m', ['org/m'], []],
    ['org', ['org/m'], ['org/m']],
  ])('of one that holds %s for %j: ready, missing %j', async (loaded, models, missing) => {
    expect(await (await rig({ loaded }, { models })).probe()).toEqual({ kind: 'ready', nap: NAP, missing });
  });

  it('without a model in the manifest: it could not be loaded again', async () => {
    const cannot = { can: false, why: { code: 'no-model' } };
    expect(await (await rig({ loaded: 'm' }, { models: [] })).probe()).toEqual({
      kind: 'ready',
      nap: cannot,
      missing: [],
    });
    expect(await (await rig({}, { models: [] })).probe()).toEqual({ kind: 'asleep', level: 2, nap: cannot });
  });

  it.each([
    ['no key', {}, 'Please provide an API key'],
    ['a wrong key', { apiKey: { env: 'x' } }, 'Invalid API key'],
  ])('with %s is denied', async (_, keys, words) => {
    expect(await (await rig({ keys: KEYS, loaded: 'm' }, keys)).probe()).toEqual({
      kind: 'denied',
      why: { code: 'unauthorized', detail: `GET /v1/model: 401 ${words}` },
    });
  });

  it.each([
    ['no admin key', { apiKey: API_KEY }, 'permission: api'],
    ['a wrong admin key', { apiKey: API_KEY, adminKey: { env: 'x' } }, 'Invalid API key'],
  ])('with %s: ready, and can not sleep', async (_, keys, detail) => {
    expect(await (await rig({ keys: KEYS, loaded: 'm' }, keys)).probe()).toEqual({
      kind: 'ready',
      missing: [],
      nap: { can: false, why: { code: 'admin-off', detail } },
    });
  });

  it.each([
    ['both keys', { apiKey: API_KEY, adminKey: ADMIN_KEY }, false],
    ['the admin key for all', { apiKey: ADMIN_KEY }, false],
    ['both keys, which an old build does not tell', { apiKey: API_KEY, adminKey: ADMIN_KEY }, true],
  ])('with %s: can sleep', async (_, keys, old) => {
    expect(await (await rig({ keys: KEYS, loaded: 'm', old }, keys)).probe()).toMatchObject({ nap: NAP });
  });

  it.each([
    [
      'another engine that says so',
      {
        '/.well-known/serviceinfo': { status: 200, body: { software: { name: 'KoboldCpp' } } },
        '/v1/model': { status: 200, body: { id: 'm' } },
      },
      'KoboldCpp',
    ],
    ['a server without its routes', {}, 'GET /v1/model: 404'],
  ])('of %s: wrong engine', async (_, answers, detail) => {
    const { probe } = await lookAlike(answers);
    expect(await probe()).toEqual({ kind: 'garbled', why: { code: 'wrong-engine', detail } });
  });

  it('takes the 503 of somebody else for no sleep', async () => {
    const { engine, probe, sleep, wake, sent } = await rig({ loaded: 'm' });
    const busy = () => engine.failNext('/v1/model', 503, '<h1>Service Unavailable</h1>');
    busy();
    expect(await probe()).toMatchObject({ kind: 'garbled', why: { code: 'error-status' } });
    busy();
    expect(await sleep()).toMatch(/^engine-refused/);
    busy();
    expect(await wake()).toMatch(/^engine-refused/);
    expect(sent()).toEqual([]);
  });

  it('tells nothing of requests in flight', async () => {
    expect((await rig()).driver.inFlight).toBeUndefined();
  });
});

describe('sleep', () => {
  it('unloads any model; its requests are cancelled by the engine', async () => {
    const { engine, sleep, sent } = await rig({ loaded: 'other' });
    engine.jobs(2);
    expect(await sleep()).toBe('done');
    expect([engine.loaded(), engine.cancelled(), sent()]).toEqual([undefined, 2, ['/v1/model/unload']]);
  });

  it('with no admin key is refused in its words', async () => {
    const { engine, sleep } = await rig({ loaded: 'm', keys: KEYS }, { apiKey: API_KEY });
    expect(await sleep()).toBe('engine-refused: Invalid admin key');
    expect(engine.loaded()).toBe('m');
  });

  it('that the engine only claims ends at its deadline, sent once', async () => {
    const { engine, sleep, sent, parts } = await rig({ loaded: 'm' }, { timeouts: { ...TIMEOUTS, sleepMs: 800 } });
    engine.knobs.ineffective = true;
    expect(await sleep()).toBe('timed-out');
    expect(sent()).toEqual(['/v1/model/unload']);
    await parts.quiet();
  });

  it('refused with a 503 of another kind is a refusal', async () => {
    const { engine, sleep } = await rig({ loaded: 'm' });
    engine.failNext('/v1/model/unload', 503, { detail: 'Server is shutting down' });
    expect(await sleep()).toBe('engine-refused: Server is shutting down');
  });

  it('and wake without a model in the manifest send nothing', async () => {
    const { engine, sleep, wake } = await rig({ loaded: 'm' }, { models: [] });
    expect([await sleep(), await wake()]).toEqual(['engine-cannot: no-model', 'engine-cannot: no-model']);
    expect(engine.calls).toEqual([]);
  });
});

describe('wake', () => {
  it('leaves it to the engine to unload another model, which lets its requests end', async () => {
    const { engine, wake, sent } = await rig({ loaded: 'other' });
    engine.jobs(1);
    const waking = wake();
    while (sent().length === 0) await new Promise(setImmediate);
    expect(engine.loaded()).toBe('other');
    engine.finish();
    expect(await waking).toBe('done');
    expect([engine.loaded(), engine.cancelled(), sent()]).toEqual(['m', 0, ['/v1/model/load']]);
  });

  it('loads a folder of a folder by its path', async () => {
    const { engine, wake } = await rig({ folders: ['org/m'] }, { models: ['org/m'] });
    expect(await wake()).toBe('done');
    expect(engine.loaded()).toBe('m');
  });

  it('of a folder that is not there is refused in its words', async () => {
    const { wake, sent } = await rig({}, { models: ['gone'] });
    expect(await wake()).toBe(
      'engine-refused: Could not find the model path for load. Check model name or config.yml?',
    );
    expect(sent()).toEqual(['/v1/model/load']);
  });

  it('reads a stream of several megabytes', async () => {
    const { engine, wake } = await rig({ modules: 40_000 });
    expect(await wake()).toBe('done');
    expect(engine.loaded()).toBe('m');
  });

  it.each([false, true])('that another client has begun ends well (old build: %s)', async (old) => {
    const { engine, wake, sent } = await rig({ old, loadMs: 50 });
    const theirs = engine.load('m');
    if (old) engine.failNext('/v1/model', 503, { detail: 'No models are currently loaded.' });
    expect(await wake()).toBe('done');
    await theirs;
    expect(sent()).toEqual(['/v1/model/load']);
    expect(engine.loaded()).toBe('m');
  });

  it('"already loaded" with another model on the card is a contradiction', async () => {
    const { engine, wake } = await rig();
    engine.knobs.stream = 'data: {"error":{"message":"Model \\"m\\" is already loaded! Aborting."}}\r\n\r\n';
    expect(await wake()).toBe('engine-contradicts: none');
  });
});

it('a canary asks for a completion', async () => {
  const verify = { task: 'completion', model: 'm', prompt: 'hi', tokens: 1 } as const;
  const { driver, service, sent } = await rig({ loaded: 'm' }, { verify });
  await driver.canary?.(service, never);
  expect(sent()).toEqual(['/v1/completions']);
});
