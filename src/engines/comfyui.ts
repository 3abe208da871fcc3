/**
 * ComfyUI (server.py 002c3fb9, app/prompt_worker.py 280bc659): no preload, no key, no health route.
 *
 * It loads at the first prompt, so one that holds nothing is as ready as one that does, and there is nothing to send to
 * wake it. Only the record tells an empty one that we put to sleep from an empty one that nobody has used yet; a record
 * that is lost costs one more sleep, which finds it empty and sends nothing. If memory is held it is awake, whatever the
 * record says: somebody has sent it a prompt.
 *
 * `POST /free` only sets flags. The prompt worker acts on them after the prompt that runs: `torch_vram_total` tells when.
 */
import type { EngineFacts, NapAbility } from '../core/facts.ts';
import type { ComfyuiService } from '../core/model.ts';
import type { Past } from '../core/remembered.ts';
import { MIB } from '../core/units.ts';
import type { HttpResponse } from '../io/http.ts';
import { brief, factsOfAnswer, isOk, jsonOf, valueAt, wrongEngine } from './answer.ts';
import type { DriverParts, MakeDriver, Nap } from './driver.ts';
import { cannot, contradicts, lookInto, type Talk, talkTo } from './talk.ts';

const POLL_MS = 100;

/** What PyTorch keeps of its pool when all models are gone: 0 in a fresh process, 32 or 64 MiB and workspaces after prompts. */
const EMPTY_BYTES = 256 * MIB;

/** What KoboldCpp, playing ComfyUI, says of every memory. */
const EMULATED_BYTES = 12_345_678_900;

export const makeComfyui: MakeDriver<ComfyuiService> = (parts) => ({
  probe: (service, signal, past) => lookInto(parts, service, signal, (talk) => look(talk, past)),
  nap: makeNap(parts),
  inFlight: async (service, signal) => requestsIn(await (await talkTo(parts, service, signal)).ask('GET', '/queue')),
});

const NAP: NapAbility = { can: true, levels: [2] };
const NO_NAP: NapAbility = { can: false, why: { code: 'memory-untold' } };

async function look(talk: Talk, past: Past | undefined): Promise<EngineFacts> {
  const answer = await talk.ask('GET', STATS);
  const stats = statsIn(answer);
  if (!stats) return stranger(answer);
  const { version } = stats;
  const nap = stats.emptied === undefined ? NO_NAP : NAP;
  // `changing`: a sleep of ours whose end nobody saw; the memory says that it came.
  const slept = past?.state === 'asleep' || past?.state === 'changing';
  return slept && stats.emptied ? { kind: 'asleep', level: 2, nap, version } : { kind: 'ready', nap, version };
}

function stranger(answer: HttpResponse): EngineFacts {
  const another = answer.status === 404 || (isOk(answer) && jsonOf(answer) !== undefined);
  if (!another) return factsOfAnswer(`GET ${STATS}`, answer);
  return wrongEngine(brief(`GET ${STATS}: ${answer.status}`));
}

const STATS = '/system_stats';

interface Stats {
  readonly version: string;
  /** No device holds more than an empty one does; undefined = no device tells. */
  readonly emptied: boolean | undefined;
}

/** Undefined: it is no ComfyUI. */
function statsIn(answer: HttpResponse): Stats | undefined {
  const json = jsonOf(answer);
  const [version, devices] = [valueAt(json, 'system.comfyui_version'), valueAt(json, 'devices')];
  if (!isOk(answer) || typeof version !== 'string' || !Array.isArray(devices)) return undefined;
  if (devices.some((device) => valueAt(device, 'vram_total') === EMULATED_BYTES)) return undefined;
  // For a device whose allocator it can't ask (cpu, mps, DirectML) it repeats the total.
  const held = devices
    .filter((device) => valueAt(device, 'torch_vram_total') !== valueAt(device, 'vram_total'))
    .map((device) => valueAt(device, 'torch_vram_total'))
    .filter((bytes) => typeof bytes === 'number');
  const emptied = held.length === 0 ? undefined : held.every((bytes) => bytes <= EMPTY_BYTES);
  return { version: brief(version), emptied };
}

/** Prompts that run or wait. */
function requestsIn(answer: HttpResponse): number | undefined {
  const json = jsonOf(answer);
  const [running, pending] = [valueAt(json, 'queue_running'), valueAt(json, 'queue_pending')];
  return isOk(answer) && Array.isArray(running) && Array.isArray(pending) ? running.length + pending.length : undefined;
}

function makeNap(parts: DriverParts): Nap<ComfyuiService> {
  return {
    async sleep(service, _level, { force }, signal) {
      const talk = await talkTo(parts, service, signal);
      const pause = () => parts.clock.sleep(POLL_MS, signal);
      if ((await emptied(talk, service)) && (await requests(talk, service)) === 0) return;
      if (force) await dropPrompts(talk, service);
      while ((await requests(talk, service)) > 0) await pause();
      // Both: `unload_models` alone keeps the cached outputs of nodes.
      await talk.tell('POST', '/free', { json: { unload_models: true, free_memory: true } });
      while (!(await emptied(talk, service))) await pause();
    },
    async wake(service, _level, signal) {
      await statsOf(await talkTo(parts, service, signal), service);
    },
  };
}

/** The queue first: what waits there would begin as soon as the running prompt is interrupted. */
async function dropPrompts(talk: Talk, service: ComfyuiService): Promise<void> {
  if ((await requests(talk, service)) === 0) return;
  await talk.tell('POST', '/queue', { json: { clear: true } });
  await talk.tell('POST', '/interrupt', { json: {} });
}

async function requests(talk: Talk, service: ComfyuiService): Promise<number> {
  const answer = await talk.tell('GET', '/queue');
  const count = requestsIn(answer);
  if (count === undefined) throw contradicts(service, 'queue', brief(answer.text));
  return count;
}

async function emptied(talk: Talk, service: ComfyuiService): Promise<boolean> {
  const stats = await statsOf(talk, service);
  if (stats.emptied === undefined) throw cannot(service, 'sleep', 'memory-untold');
  return stats.emptied;
}

async function statsOf(talk: Talk, service: ComfyuiService): Promise<Stats> {
  const answer = await talk.tell('GET', STATS);
  const stats = statsIn(answer);
  if (!stats) throw contradicts(service, 'ComfyUI', 'wrong-engine');
  return stats;
}
