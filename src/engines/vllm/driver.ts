/** vLLM's OpenAI-compatible server: what it says of itself. Its sleep is in `nap.ts`. */
import type { EngineFacts } from '../../core/facts.ts';
import type { VllmService } from '../../core/model.ts';
import { factsOfAnswer, jsonOf, valueAt } from '../answer.ts';
import { makeCanary } from '../canary.ts';
import type { MakeDriver } from '../driver.ts';
import { lookInto, type Talk, talkTo } from '../talk.ts';
import { makeNap } from './nap.ts';
import { requestsIn, sleepLevelOf, versionIn } from './status.ts';
import { napOf, releaseOf } from './versions.ts';

export const makeVllm: MakeDriver<VllmService> = (parts) => ({
  probe: (service, signal) => lookInto(parts, service, signal, (talk) => look(talk, service), '/health'),
  nap: makeNap(parts),
  inFlight: async (service, signal) => requestsIn(await talkTo(parts, service, signal)),
  canary: makeCanary(parts),
});

/** `/health` is 200 on sleepers too: the state is told by `/is_sleeping`, which waits while a sleep or wake runs. */
async function look(talk: Talk, service: VllmService): Promise<EngineFacts> {
  const asked = versionIn(talk);
  const answer = await talk.ask('GET', '/is_sleeping');
  if (answer.headers['server'] === 'llama.cpp')
    return { kind: 'garbled', why: { code: 'wrong-engine', detail: 'llama.cpp' } };
  if (answer.status === 404) return withoutDevMode(talk, asked);
  const asleep = valueAt(jsonOf(answer), 'is_sleeping');
  if (answer.status !== 200 || typeof asleep !== 'boolean') return factsOfAnswer('GET /is_sleeping', answer);
  const version = await asked;
  const facts = { nap: napOf(releaseOf(version), service.sleep.level), ...versionFact(version) };
  if (!asleep) return { kind: 'ready', ...facts };
  const level = await sleepLevelOf(talk).catch(() => undefined);
  return { kind: 'asleep', ...facts, ...(level === undefined ? {} : { level }) };
}

/** Without VLLM_SERVER_DEV_MODE=1 there is no `/is_sleeping`, and it can't be asleep. */
async function withoutDevMode(talk: Talk, asked: Promise<string | undefined>): Promise<EngineFacts> {
  const health = await talk.ask('GET', '/health');
  if (health.status !== 200) return factsOfAnswer('GET /health', health);
  return { kind: 'ready', nap: { can: false, why: { code: 'dev-mode-off' } }, ...versionFact(await asked) };
}

function versionFact(version: string | undefined): { version?: string } {
  return version === undefined ? {} : { version };
}
