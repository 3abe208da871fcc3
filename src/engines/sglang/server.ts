/** What an SGLang server tells without generating anything: how it was started, and its requests in flight. */
import type { EngineFacts, NapAbility } from '../../core/facts.ts';
import type { SglangService } from '../../core/model.ts';
import type { HttpResponse } from '../../io/http.ts';
import { brief, factsOfAnswer, isOk, jsonOf, valueAt, wrongEngine } from '../answer.ts';
import type { Talk } from '../talk.ts';

/** Its start arguments, as far as they matter here. They stay the same for the whole run. */
export interface Server {
  readonly version?: string;
  /** Where its weights came from: a folder or a name of the hub. */
  readonly modelPath: string;
  /** `--enable-memory-saver`; absent = not told (before #2630, 2025-01). Without it a release says yes and frees nothing. */
  readonly memorySaver?: boolean;
  /** `--enable-weights-cpu-backup` (#10873, 2025-10); not told = there is none, and a release loses the weights. */
  readonly cpuBackup: boolean;
}

/** The second is the older name. */
const INFO_PATHS = ['/server_info', '/get_server_info'];

/**
 * Its answer goes through the scheduler, so it tells of a living engine; it works while memory is released. The answer
 * holds the server's API keys: none of its text may ever be shown. Throws HttpFailure.
 */
export async function serverIn(talk: Talk, service: SglangService): Promise<Server | { readonly facts: EngineFacts }> {
  let answer: HttpResponse | undefined;
  let request = '';
  for (const path of INFO_PATHS) {
    request = `GET ${path}`;
    answer = await talk.ask('GET', path);
    if (answer.status === 401 && service.adminKey) answer = await talk.ask('GET', path, { admin: true });
    const server = isOk(answer) ? serverOf(jsonOf(answer)) : undefined;
    if (server) return server;
    if (answer.status !== 404) break;
  }
  return { facts: await factsOfStranger(talk, request, answer as HttpResponse) };
}

function serverOf(info: unknown): Server | undefined {
  const modelPath = valueAt(info, 'model_path');
  if (typeof modelPath !== 'string' || valueAt(info, 'tokenizer_path') === undefined) return undefined;
  const version = valueAt(info, 'version');
  const memorySaver = valueAt(info, 'enable_memory_saver');
  return {
    modelPath,
    cpuBackup: valueAt(info, 'enable_weights_cpu_backup') === true,
    ...(typeof memorySaver === 'boolean' ? { memorySaver } : {}),
    ...(typeof version === 'string' ? { version: brief(version) } : {}),
  };
}

/** Engines of this kind name themselves in their list of models. */
async function factsOfStranger(talk: Talk, request: string, answer: HttpResponse): Promise<EngineFacts> {
  if (answer.headers['server'] === 'llama.cpp') return wrongEngine('llama.cpp');
  if (!isOk(answer) && answer.status !== 404) return factsOfAnswer(request, answer);
  const owner = valueAt(jsonOf(await talk.ask('GET', '/v1/models')), 'data.0.owned_by');
  if (typeof owner === 'string' && owner !== 'sglang') return wrongEngine(brief(owner));
  return factsOfAnswer(request, isOk(answer) ? { ...answer, text: '' } : answer); // it may hold keys
}

/** The one level it has is no choice of ours: the server was started with a copy in host memory, or without. */
export function napOf({ memorySaver, cpuBackup }: Server): NapAbility {
  if (memorySaver !== true) return { can: false, why: { code: 'memory-saver-off' } };
  return { can: true, levels: [cpuBackup ? 1 : 2] };
}

/** Requests running and waiting, over all ranks; undefined = not told. A snapshot: `/flush_cache` is what decides. */
export async function requestsIn(talk: Talk): Promise<number | undefined> {
  const loads = await talk.ask('GET', '/v1/loads');
  if (loads.status === 200) return requestsOf(jsonOf(loads));
  if (loads.status !== 404) return undefined;
  const older = await talk.ask('GET', '/get_load'); // the older route; num_reqs counts the waiting ones too
  return older.status === 200 ? sum(jsonOf(older), (rank) => [valueAt(rank, 'num_reqs')]) : undefined;
}

/** `aggregate` came and went (it is missing in the newest servers); the ranks are always told. */
function requestsOf(loads: unknown): number | undefined {
  const total = (of: unknown) => [valueAt(of, 'total_running_reqs'), valueAt(of, 'total_waiting_reqs')];
  const inRank = (rank: unknown) => [valueAt(rank, 'num_running_reqs'), valueAt(rank, 'num_waiting_reqs')];
  return sum([valueAt(loads, 'aggregate')], total) ?? sum(valueAt(loads, 'loads'), inRank);
}

function sum(ranks: unknown, counts: (rank: unknown) => readonly unknown[]): number | undefined {
  if (!Array.isArray(ranks) || ranks.length === 0) return undefined;
  const numbers = ranks.flatMap(counts);
  if (!numbers.every((count) => typeof count === 'number' && count >= 0)) return undefined;
  return numbers.reduce<number>((total, count) => total + Number(count), 0);
}
