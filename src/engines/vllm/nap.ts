/**
 * vLLM's sleep and wake, as its development routes do them. `level`, `mode` and `tags` are query parameters: a JSON body
 * is ignored. A mutation that fails leaves the engine in no known state: it is never repeated, the caller restarts it.
 */
import type { SleepLevel, VllmService } from '../../core/model.ts';
import type { Clock } from '../../io/clock.ts';
import { jsonOf, valueAt } from '../answer.ts';
import type { DriverParts, Nap } from '../driver.ts';
import { cannot, contradicts, refused, type Talk, talkTo } from '../talk.ts';
import { requestsIn, sleepLevelOf, versionIn } from './status.ts';
import {
  canReload,
  diesOfQueueInStagedWake,
  keepsStaleCache,
  levelsOf,
  type Release,
  releaseOf,
  takesMode,
} from './versions.ts';

/** One sleep or wake of one service. */
interface Turn {
  readonly talk: Talk;
  readonly service: VllmService;
  readonly verb: 'sleep' | 'wake';
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export function makeNap(parts: DriverParts): Nap<VllmService> {
  const turn = async (verb: Turn['verb'], service: VllmService, signal: AbortSignal): Promise<Turn> => ({
    talk: await talkTo(parts, service, signal),
    service,
    verb,
    clock: parts.clock,
    signal,
  });
  return {
    sleep: async (service, level, { force }, signal) => sleep(await turn('sleep', service, signal), level, force),
    wake: async (service, level, signal) => wake(await turn('wake', service, signal), level),
  };
}

async function sleep(turn: Turn, level: SleepLevel, force: boolean): Promise<void> {
  const { talk, service } = turn;
  const asleep = await isAsleep(turn);
  const current = asleep ? await sleepLevelOf(talk) : undefined;
  if (asleep && (current === undefined || current === level)) return;
  const release = releaseOf(await versionIn(talk));
  if (!levelsOf(release).includes(level)) throw cannot(service, 'sleep', `level-${level}`);
  if (current !== undefined) await wakeUp(turn, current, async () => release); // a sleeper ignores a second level
  if (keepsStaleCache(release)) await talk.tell('POST', '/reset_prefix_cache', { accept: [404] });
  const mode = force || service.sleep.drain === 'abort' ? 'abort' : 'wait';
  const path = `/sleep?level=${level}${takesMode(release) ? `&mode=${mode}` : ''}`;
  const answer = await talk.tell('POST', path, { accept: [404, 405] });
  if (answer.status >= 400) throw cannot(service, 'sleep', 'dev-mode-off');
  if (!(await isAsleep(turn))) throw contradicts(service, 'asleep', 'awake');
}

async function wake(turn: Turn, level: SleepLevel | undefined): Promise<void> {
  if (!(await isAsleep(turn))) return;
  await wakeUp(turn, level, async () => releaseOf(await versionIn(turn.talk)));
}

/** Level 1 wakes alike in every version: only the others ask for it. */
async function wakeUp(turn: Turn, level: SleepLevel | undefined, version: () => Promise<Release>): Promise<void> {
  const { talk, service } = turn;
  const staged = level === 1 ? undefined : await version();
  if (level === 1 || !canReload(staged)) await talk.tell('POST', '/wake_up');
  else await wakeInStages(turn, staged);
  if (await isAsleep(turn)) throw contradicts(service, 'awake', 'asleep');
}

/**
 * Level 2, or a level nobody knows: the weights must be loaded again before anything is generated. Each tag is sent once:
 * a tag that is awake already makes the whole call a no-op with 200, a tag sent twice kills the engine.
 */
async function wakeInStages({ talk, service, clock, signal }: Turn, release: Release): Promise<void> {
  if (diesOfQueueInStagedWake(release) && ((await requestsIn(talk)) ?? 0) > 0)
    throw cannot(service, 'wake', 'requests-queued');
  await talk.tell('POST', '/wake_up?tags=weights');
  await talk.tell('POST', '/collective_rpc', { json: { method: 'reload_weights' } });
  await talk.tell('POST', '/wake_up?tags=kv_cache');
  await resetPrefixCache(talk, clock, signal);
}

const RESET_TRIES = 5;
const RESET_PAUSE_MS = 200;

/** Newer servers answer 200 `{"success": false}` while blocks are held; a cache that is never reset is fresh anyway. */
async function resetPrefixCache(talk: Talk, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let tries = 1; tries <= RESET_TRIES; tries += 1) {
    const answer = await talk.tell('POST', '/reset_prefix_cache', { accept: [404] });
    if (valueAt(jsonOf(answer), 'success') !== false) return;
    await clock.sleep(RESET_PAUSE_MS, signal);
  }
}

async function isAsleep({ talk, service, verb }: Turn): Promise<boolean> {
  const answer = await talk.tell('GET', '/is_sleeping', { accept: [404] });
  if (answer.status === 404) throw cannot(service, verb, 'dev-mode-off');
  const asleep = valueAt(jsonOf(answer), 'is_sleeping');
  if (typeof asleep !== 'boolean') throw refused(service, 'GET /is_sleeping', answer);
  return asleep;
}
