/**
 * KoboldCpp with `--admin --admindir` (koboldcpp.py 000115dd, 1.117.1).
 *
 * Its main process is a manager that keeps the server in a child: a reload ends the child, up to a second after the
 * answer, and starts another one, which listens when its models are loaded. So systemd sees the same run all the time, and
 * we see the port refuse. The new server's `uptime` proves that it is another one. If the new one dies while it loads, the
 * manager comes back with the unit's own command line: then it is awake, and which file it holds can't be told, since
 * `/api/v1/model` names models and not configurations.
 *
 * It plays Ollama, ComfyUI and llama-server too; `/.well-known/serviceinfo` alone says who it is, and is asked first.
 */
import { isGpumodError } from '../core/errors.ts';
import type { EngineFacts, NapAbility } from '../core/facts.ts';
import type { KoboldcppService } from '../core/model.ts';
import type { Clock } from '../io/clock.ts';
import type { HttpResponse } from '../io/http.ts';
import { brief, factsOfAnswer, isHttpFailure, isOk, jsonOf, valueAt, wrongEngine } from './answer.ts';
import { makeCanary } from './canary.ts';
import type { Driver, DriverParts, MakeDriver, Nap } from './driver.ts';
import { cannot, contradicts, lookInto, refused, type Talk, talkTo } from './talk.ts';

const POLL_MS = 100;
const IDENTITY = '/.well-known/serviceinfo';
const MODEL = '/api/v1/model';
const VERSION = '/api/extra/version';
const OPTIONS = '/api/admin/list_options';
const RELOAD = '/api/admin/reload_config';
const PERF = '/api/extra/perf';

/** Two "files" that `list_options` names and no folder holds: nothing, and what the unit's own command line loads. */
const NOTHING = 'unload_model';
const AT_START = 'initial_model';

export const makeKoboldcpp: MakeDriver<KoboldcppService> = (parts) => ({
  probe: (service, signal) => lookInto(parts, service, signal, (talk) => look(talk, service)),
  nap: makeNap(parts),
  inFlight: async (service, signal) => requestsIn(await (await talkTo(parts, service, signal)).ask('GET', PERF)),
  canary: makePatientCanary(parts),
});

async function look(talk: Talk, service: KoboldcppService): Promise<EngineFacts> {
  const identity = await talk.ask('GET', IDENTITY);
  const name = valueAt(jsonOf(identity), 'software.name');
  if (name !== 'KoboldCpp') return stranger(identity);
  const [model, capabilities, options] = await Promise.all([
    talk.ask('GET', MODEL),
    talk.ask('GET', VERSION),
    talk.ask('GET', OPTIONS, { admin: true }),
  ]);
  const loaded = loadedIn(model, capabilities);
  if (loaded === undefined) return factsOfAnswer(`GET ${MODEL}`, model);
  if (loaded === 'protected') return { kind: 'denied', why: { code: 'unauthorized', detail: `GET ${MODEL}` } };
  const version = valueAt(jsonOf(identity), 'software.version');
  const facts = { nap: abilityIn(options, service), ...(typeof version === 'string' ? { version } : {}) };
  return loaded === 'nothing' ? { kind: 'asleep', level: 2, ...facts } : { kind: 'ready', ...facts };
}

function stranger(identity: HttpResponse): EngineFacts {
  const another = identity.status === 404 || (isOk(identity) && jsonOf(identity) !== undefined);
  if (!another) return factsOfAnswer(`GET ${IDENTITY}`, identity);
  return wrongEngine(`GET ${IDENTITY}: ${identity.status}`);
}

type Loaded = 'nothing' | 'something' | 'protected';

/** `inactive` means no text model; one that paints, speaks or listens holds memory all the same. */
function loadedIn(model: HttpResponse, capabilities: HttpResponse): Loaded | undefined {
  const name = valueAt(jsonOf(model), 'result');
  if (!isOk(model) || typeof name !== 'string') return undefined;
  if (name === 'koboldcpp/protected-model') return 'protected'; // said to who has not the server's password
  const others = ['txt2img', 'transcribe', 'tts', 'embeddings', 'music'];
  const has = (what: string) => valueAt(jsonOf(capabilities), what) === true;
  return name === 'inactive' && !others.some(has) ? 'nothing' : 'something';
}

/** Without `--admin`, or with the wrong password, the list is empty. */
function abilityIn(answer: HttpResponse, service: KoboldcppService): NapAbility {
  const json = jsonOf(answer);
  const options: readonly unknown[] = isOk(answer) && Array.isArray(json) ? json : [];
  if (!options.includes(NOTHING)) return { can: false, why: { code: 'admin-off' } };
  const file = fileOf(service);
  return options.includes(file)
    ? { can: true, levels: [2] }
    : { can: false, why: { code: 'no-way-back', detail: brief(file) } };
}

/** What a wake loads. */
function fileOf({ models: [file = AT_START] }: KoboldcppService): string {
  return file;
}

/** One generates (or all that it does at once), the others wait in the queue. */
function requestsIn(answer: HttpResponse): number | undefined {
  const json = jsonOf(answer);
  const [queue, idle] = [valueAt(json, 'queue'), valueAt(json, 'idle')];
  if (!isOk(answer) || typeof queue !== 'number' || typeof idle !== 'number') return undefined;
  return queue + (idle === 0 ? 1 : 0);
}

function makeNap(parts: DriverParts): Nap<KoboldcppService> {
  return {
    async sleep(service, _level, { force }, signal) {
      const talk = await talkTo(parts, service, signal);
      if ((await loadedNow(talk, service)) === 'nothing') return;
      await checkAbility(talk, service, 'sleep');
      // The end of the old server cuts whatever it serves.
      while (!force && (requestsIn(await talk.tell('GET', PERF)) ?? 0) > 0) await parts.clock.sleep(POLL_MS, signal);
      const loaded = await reload(parts.clock, talk, service, NOTHING, signal);
      if (loaded !== 'nothing') throw contradicts(service, 'inactive', loaded);
    },
    async wake(service, _level, signal) {
      const talk = await talkTo(parts, service, signal);
      if ((await loadedNow(talk, service)) === 'something') return;
      await checkAbility(talk, service, 'wake');
      const loaded = await reload(parts.clock, talk, service, fileOf(service), signal);
      if (loaded !== 'something') throw contradicts(service, `loaded: ${fileOf(service)}`, loaded);
    },
  };
}

async function loadedNow(talk: Talk, service: KoboldcppService): Promise<Loaded> {
  const model = await talk.tell('GET', MODEL);
  const loaded = loadedIn(model, await talk.tell('GET', VERSION, { accept: [404] }));
  if (loaded === undefined) throw contradicts(service, 'model', brief(model.text));
  if (loaded === 'protected') throw cannot(service, 'look', 'unauthorized');
  return loaded;
}

async function checkAbility(talk: Talk, service: KoboldcppService, verb: 'sleep' | 'wake'): Promise<void> {
  const options = await talk.tell('GET', OPTIONS, { admin: true, accept: [401, 403, 404] });
  const ability = abilityIn(options, service);
  if (!ability.can) throw cannot(service, verb, ability.why.code);
}

/** Asks for the restart once, and waits for the new server; what that one has loaded when it listens, stays. */
async function reload(
  clock: Clock,
  talk: Talk,
  service: KoboldcppService,
  filename: string,
  signal: AbortSignal,
): Promise<Loaded> {
  const sentMs = clock.ticksMs();
  const answer = await talk.tell('POST', RELOAD, { admin: true, json: { filename } });
  if (valueAt(jsonOf(answer), 'success') !== true) throw refused(service, `POST ${RELOAD}`, answer);
  for (;;) {
    await clock.sleep(POLL_MS, signal);
    const loaded = await loadedAfter(clock, talk, sentMs).catch((error: unknown) => {
      if (!isHttpFailure(error)) throw error;
      return undefined; // between two servers nobody listens
    });
    if (loaded !== undefined) return loaded;
  }
}

/** Undefined: the old server still answers, or nobody sensible does. */
async function loadedAfter(clock: Clock, talk: Talk, sentMs: number): Promise<Loaded | undefined> {
  const askedMs = clock.ticksMs();
  const uptime = valueAt(jsonOf(await talk.ask('GET', PERF)), 'uptime');
  // One that began after our request has not been up for as long as that is past.
  if (typeof uptime !== 'number' || uptime * 1000 >= askedMs - sentMs) return undefined;
  return loadedIn(await talk.ask('GET', MODEL), await talk.ask('GET', VERSION));
}

/** It serves one request at a time and answers the others 503: busy is no failure. */
function makePatientCanary(parts: DriverParts): NonNullable<Driver<KoboldcppService>['canary']> {
  const canary = makeCanary(parts);
  return async (service, signal, options) => {
    for (;;) {
      try {
        return await canary(service, signal, options);
      } catch (error) {
        if (!isGpumodError(error) || error.code !== 'engine-refused') throw error;
        if (error.details.status !== 503 || !error.details.reason.includes('Server is busy')) throw error;
        await parts.clock.sleep(POLL_MS, signal);
      }
    }
  };
}
