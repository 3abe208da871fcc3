/**
 * TabbyAPI (API as of commit e632af41, 2026-08-13): asleep is to hold no model, awake to hold the one of the manifest.
 *
 * What it can't tell: requests in flight (its unload cancels them, so there is nothing to drain by), and a load that runs
 * inside: builds of 2026 answer as if nothing were loaded until it is over, older ones as if it were over. An embedding
 * model beside the main one is not its sleep's business: no name tells how to load it again.
 */
import type { EngineFacts, NapAbility } from '../core/facts.ts';
import type { TabbyapiService } from '../core/model.ts';
import type { HttpResponse } from '../io/http.ts';
import { brief, factsOfAnswer, jsonOf, valueAt, wordsOf, wrongEngine } from './answer.ts';
import { makeCanary } from './canary.ts';
import type { MakeDriver } from './driver.ts';
import { cannot, contradicts, lookInto, refused, type Talk, talkTo } from './talk.ts';

export const makeTabbyapi: MakeDriver<TabbyapiService> = (parts) => ({
  probe: (service, signal) => lookInto(parts, service, signal, (talk) => look(talk, service)),
  nap: {
    sleep: async (service, _level, _options, signal) => {
      if (service.models.length === 0) throw cannot(service, 'sleep', 'no-model');
      const talk = await talkTo(parts, service, signal);
      if (await unload(talk, service))
        while ((await cardOf(talk, service)) !== NONE) await parts.clock.sleep(POLL_MS, signal);
    },
    wake: async (service, _level, signal) => {
      const [model] = service.models;
      if (model === undefined) throw cannot(service, 'wake', 'no-model');
      await load(await talkTo(parts, service, signal), service, model);
    },
  },
  canary: makeCanary(parts),
});

const POLL_MS = 100;
const SERVICE_INFO = '/.well-known/serviceinfo';
const MODEL = '/v1/model';
const UNLOAD = '/v1/model/unload';
const LOAD = '/v1/model/load';
/** The kind of a key; no other route tells whether the admin key is one. */
const PERMISSION = '/v1/auth/permission';

async function look(talk: Talk, service: TabbyapiService): Promise<EngineFacts> {
  const [info, model, permission] = await Promise.all([
    talk.ask('GET', SERVICE_INFO),
    talk.ask('GET', MODEL),
    talk.ask('GET', PERMISSION, { admin: true }),
  ]);
  const software = info.status === 200 ? valueAt(jsonOf(info), 'software.name') : undefined; // older builds: 404
  if (software !== 'TabbyAPI' && (typeof software === 'string' || model.status === 404)) {
    const detail = typeof software === 'string' ? brief(software) : `GET ${MODEL}: 404`;
    return wrongEngine(detail);
  }
  const card = cardIn(model);
  if (!card) return factsOfAnswer(`GET ${MODEL}`, model);
  const nap = napOf(service, permission);
  if (card === NONE) return { kind: 'asleep', level: 2, nap };
  return { kind: 'ready', nap, missing: service.models.filter((name) => !isNamed(card, name)) };
}

/** Both need the admin key; weights are read from disk again, as after vLLM's level 2. */
function napOf({ models }: TabbyapiService, permission: HttpResponse): NapAbility {
  if (models.length === 0) return { can: false, why: { code: 'no-model' } };
  // Builds without this route, and without any keys, answer something else: then the unload itself tells.
  const isUser = permission.status === 200 && valueAt(jsonOf(permission), 'permission') === 'api';
  if (isUser || permission.status === 401)
    return { can: false, why: { code: 'admin-off', detail: isUser ? 'permission: api' : wordsOf(permission) } };
  return { can: true, levels: [2] };
}

interface Card {
  /** The name of the model's folder. */
  readonly id: string;
}

const NONE = 'none';

/** The loaded model; undefined when the answer is not understood. */
function cardIn(answer: HttpResponse): Card | typeof NONE | undefined {
  // 400 until 2024. A proxy's 503 has other words.
  if ([400, 503].includes(answer.status)) return SAYS_NONE.test(wordsOf(answer)) ? NONE : undefined;
  const id = valueAt(jsonOf(answer), 'id');
  return answer.status === 200 && typeof id === 'string' ? { id } : undefined;
}

const SAYS_NONE = /no models are currently loaded/i;

/** A model in a folder of a folder (`org/model`) is known by its own folder. */
function isNamed({ id }: Card, name: string): boolean {
  return id === name || id === name.replace(/\/+$/, '').split('/').at(-1);
}

async function cardOf(talk: Talk, service: TabbyapiService): Promise<Card | typeof NONE> {
  const answer = await talk.tell('GET', MODEL, { accept: [400, 503] });
  const card = cardIn(answer);
  if (!card) throw refused(service, `GET ${MODEL}`, answer);
  return card;
}

/** Whatever is loaded. True when something was; that somebody else was faster is success. */
async function unload(talk: Talk, service: TabbyapiService): Promise<boolean> {
  if ((await cardOf(talk, service)) === NONE) return false;
  const answer = await talk.tell('POST', UNLOAD, { admin: true, accept: [400, 503] });
  if (answer.status >= 400 && cardIn(answer) !== NONE) throw refused(service, `POST ${UNLOAD}`, answer);
  return true;
}

/** A line per module, and several kinds of them. */
const MAX_STREAM_BYTES = 16 * 2 ** 20;

/** TabbyAPI itself unloads another model first, and lets that one's requests end. */
async function load(talk: Talk, service: TabbyapiService, name: string): Promise<void> {
  const before = await cardOf(talk, service);
  if (before !== NONE && isNamed(before, name)) return;
  const json = { model_name: name };
  const stream = await talk.tell('POST', LOAD, { json, admin: true, maxBodyBytes: MAX_STREAM_BYTES });
  checkStream(service, stream);
  const after = await cardOf(talk, service);
  if (after === NONE || !isNamed(after, name))
    throw contradicts(service, `loaded: ${name}`, after === NONE ? NONE : after.id);
}

/** A load that fails says so inside a 200. A draft or vision model that is finished is not the end of it. */
function checkStream(service: TabbyapiService, stream: HttpResponse): void {
  const events = eventsIn(stream.text).map((text) => ({ ...stream, text }));
  const failure = events.find((event) => (valueAt(jsonOf(event), 'error') ?? undefined) !== undefined);
  if (failure && !SAYS_LOADED.test(wordsOf(failure))) throw refused(service, `POST ${LOAD}`, failure);
  const last = events.at(-1);
  if (!failure && !isEnd(last && jsonOf(last))) throw contradicts(service, 'finished', brief(last?.text ?? 'no event'));
}

/** Another client was faster, in builds that call this an error: the model's card decides. */
const SAYS_LOADED = /is already loaded/;

function isEnd(event: unknown): boolean {
  return valueAt(event, 'status') === 'finished' && (valueAt(event, 'model_type') ?? 'model') === 'model';
}

/** The data of each server-sent event; comments (pings) and other fields are left out. */
function eventsIn(text: string): readonly string[] {
  return text
    .replace(/\r\n?/g, '\n')
    .split(/\n{2,}/)
    .map((block) => {
      const lines = block.split('\n').filter((line) => line.startsWith('data:'));
      return lines.map((line) => line.replace(/^data: ?/, '')).join('\n');
    })
    .filter((data) => data !== '');
}
