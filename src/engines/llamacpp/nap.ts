/**
 * Loading and unloading a router's models (llama-server >= b7225). Both requests answer at once and take effect later;
 * only `GET /models` tells when. A single-model server can do neither.
 */
import { GpumodError } from '../../core/errors.ts';
import type { LlamacppService } from '../../core/model.ts';
import { jsonOf, valueAt, wordsOf } from '../answer.ts';
import type { DriverParts, Nap } from '../driver.ts';
import { cannot, contradicts, refused, type Talk, talkTo } from '../talk.ts';
import { holdsMemory, isNamed, type Model, modelsIn, wantedOf } from './models.ts';

const POLL_MS = 100;

/** A closing model is gone within its `stop-timeout` (10 s by default); one that is "loaded" and deaf for longer is stuck. */
const STUCK_MS = 15_000;

export function makeNap(parts: DriverParts): Nap<LlamacppService> {
  return {
    sleep: async (service, _level, _options, signal) => {
      const router = await routerOf(parts, service, 'sleep', signal);
      await unloadEvery(router, await router.models());
    },
    wake: async (service, _level, signal) => {
      const router = await routerOf(parts, service, 'wake', signal);
      const wanted = wantedOf(service.models, await router.models());
      if (!wanted) throw cannot(service, 'wake', 'models-unclear');
      for (const name of wanted) await load(router, name);
      const missing = await missingOf(router, wanted);
      // With a low --models-max the last one loaded has evicted an earlier one.
      if (missing.length > 0) throw contradicts(service, `loaded: ${wanted.join(', ')}`, `not: ${missing.join(', ')}`);
    },
  };
}

/** Unloads a router's models before its unit is stopped; a single-model server is left as it is. */
export async function unloadAll(parts: DriverParts, service: LlamacppService, signal: AbortSignal): Promise<void> {
  const talk = await talkTo(parts, service, signal);
  const models = modelsIn(await talk.ask('GET', '/models'));
  if (models) await unloadEvery(await routerOf(parts, service, 'sleep', signal), models);
}

/** One router for the length of one sleep or wake. */
interface Router {
  readonly talk: Talk;
  readonly service: LlamacppService;
  /** Throws `engine-cannot` when it is no router. */
  models(): Promise<readonly Model[]>;
  pause(): Promise<void>;
  nowMs(): number;
}

async function routerOf(
  { clock, ...parts }: DriverParts,
  service: LlamacppService,
  verb: 'sleep' | 'wake',
  signal: AbortSignal,
): Promise<Router> {
  const talk = await talkTo({ clock, ...parts }, service, signal);
  return {
    talk,
    service,
    async models() {
      const models = modelsIn(await talk.tell('GET', '/models'));
      if (!models) throw cannot(service, verb, 'single-model');
      return models;
    },
    pause: () => clock.sleep(POLL_MS, signal),
    nowMs: () => clock.ticksMs(),
  };
}

/** All that hold memory, wanted or not. A forced end leaves `failed` behind, which is no failure here. */
async function unloadEvery(router: Router, models: readonly Model[]): Promise<void> {
  const ids = models.filter(holdsMemory).map(({ id }) => id);
  for (const id of ids) await unload(router, id);
  const isOpen = (model: Model) => ids.includes(model.id) && holdsMemory(model);
  while (ids.length > 0 && (await router.models()).some(isOpen)) await router.pause();
}

/** "Not running" is what was wanted. */
async function unload({ talk, service }: Router, id: string): Promise<void> {
  const answer = await talk.tell('POST', '/models/unload', { json: { model: id }, accept: [400] });
  if (answer.status === 400 && !/not running|not loaded|not found/.test(wordsOf(answer)))
    throw refused(service, 'POST /models/unload', answer);
}

async function missingOf(router: Router, names: readonly string[]): Promise<readonly string[]> {
  const models = await router.models();
  return names.filter((name) => models.find((model) => isNamed(model, name))?.status !== 'loaded');
}

/** What was done for one model so far. */
interface Progress {
  /** The router accepted our request to load it. */
  asked: boolean;
  /** It idled, and was woken by the one request that does so. */
  woken: boolean;
  /** Since when it is "loaded" and does not answer. */
  deafSinceMs?: number | undefined;
}

/** Loads one model, and waits until it answers. */
async function load(router: Router, name: string): Promise<void> {
  const progress: Progress = { asked: false, woken: false };
  for (;;) {
    const model = (await router.models()).find((each) => isNamed(each, name));
    if (!model) throw contradicts(router.service, `model ${name}`, 'not listed');
    if (await advance(router, model, progress)) return;
    await router.pause();
  }
}

/** One look, and at most one request; true when the model answers. */
async function advance(router: Router, model: Model, progress: Progress): Promise<boolean> {
  switch (model.status) {
    case 'loaded':
      return (await answers(router, model)) || (await bearWithDeaf(router, model, progress));
    case 'sleeping':
      await rouse(router, model, progress);
      return false;
    case 'unloaded':
      await ask(router, model, progress);
      return false;
    default:
      return false; // loading, or on its way to it
  }
}

/** Without `autoload=false` the question would load the model. */
const queryOf = (id: string) => `model=${encodeURIComponent(id)}&autoload=false`;

/** "Loaded" is also said of a model that is closing, or whose process is gone. */
async function answers({ talk }: Router, { id }: Model): Promise<boolean> {
  const props = await talk.ask('GET', `/props?${queryOf(id)}`);
  return props.status === 200 && valueAt(jsonOf(props), 'is_sleeping') !== true;
}

async function bearWithDeaf(router: Router, { id }: Model, progress: Progress): Promise<false> {
  progress.deafSinceMs ??= router.nowMs();
  if (router.nowMs() - progress.deafSinceMs > STUCK_MS) await startOver(router, id, progress);
  return false;
}

/** An idle one refuses to be loaded; `/slots` wakes it, and answers when it is there (501: switched off). */
async function rouse(router: Router, { id }: Model, progress: Progress): Promise<void> {
  if (progress.woken) return startOver(router, id, progress);
  progress.woken = true;
  await router.talk.ask('GET', `/slots?${queryOf(id)}`);
}

async function startOver(router: Router, id: string, progress: Progress): Promise<void> {
  await unload(router, id);
  Object.assign(progress, { asked: false, woken: false, deafSinceMs: undefined });
}

const LOAD = 'POST /models/load';

async function ask({ talk, service }: Router, model: Model, progress: Progress): Promise<void> {
  const { id, exitCode } = model;
  if (progress.asked) {
    if (exitCode === undefined) throw contradicts(service, `loaded: ${id}`, 'unloaded'); // by somebody else
    const reason = `${id}: exit code ${exitCode}`;
    throw new GpumodError('engine-refused', { service: service.name, request: LOAD, status: 200, reason });
  }
  const answer = await talk.tell('POST', '/models/load', { json: { model: id }, accept: [400, 500] });
  if (answer.status < 400) progress.asked = true;
  // Somebody else was faster; or all others are busy or loading, and it is asked again until the time is up.
  else if (!/already (running|loaded)|limit reached/.test(wordsOf(answer))) throw refused(service, LOAD, answer);
}
