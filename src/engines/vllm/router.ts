/**
 * A vLLM behind a production-stack router (a6c01db0, `request.py:1041-1128`): three routes, and the engine's id in the
 * query. `/collective_rpc` is not routed, so level 2 could not be woken; a tag sent twice would arrive once.
 */
import type { EngineFacts, NapAbility } from '../../core/facts.ts';
import type { VllmService } from '../../core/model.ts';
import type { Past } from '../../core/remembered.ts';
import type { HttpResponse } from '../../io/http.ts';
import { factsOfAnswer, jsonOf, valueAt, wordsOf, wrongEngine } from '../answer.ts';
import type { Talk } from '../talk.ts';
import { napOf, releaseOf } from './versions.ts';

/** The route of the service's engine: `/sleep?level=1`, through a router `/sleep?id=X&level=1`. */
export function at({ engineId }: VllmService, route: string, query = ''): string {
  const id = engineId === undefined ? '' : `id=${encodeURIComponent(engineId)}`;
  const all = [id, query].filter((part) => part !== '').join('&');
  return all === '' ? route : `${route}?${all}`;
}

/** The router's own `/version` and `/health` say nothing of the engine. */
export async function lookThrough(talk: Talk, service: VllmService, past?: Past): Promise<EngineFacts> {
  const isSleeping = at(service, '/is_sleeping');
  const [listed, answer] = await Promise.all([talk.ask('GET', '/engines'), talk.ask('GET', isSleeping)]);
  const engines = jsonOf(listed);
  if (listed.status === 404) return wrongEngine('no production-stack router');
  if (listed.status !== 200 || !Array.isArray(engines)) return factsOfAnswer('GET /engines', listed);
  if (answer.status === 400) return gone(wordsOf(answer));
  if (!engines.some((engine) => valueAt(engine, 'engine_id') === service.engineId))
    return gone(`no engine ${service.engineId} in GET /engines`);
  return factsOf(service, isSleeping, answer, past);
}

/** The router knows no such engine: to us nothing runs there. */
function gone(detail: string): EngineFacts {
  return { kind: 'down', why: { code: 'unreachable', detail } };
}

function factsOf(service: VllmService, request: string, answer: HttpResponse, past: Past | undefined): EngineFacts {
  const asleep = valueAt(jsonOf(answer), 'is_sleeping');
  if (answer.status !== 200 || typeof asleep !== 'boolean') return factsOfAnswer(`GET ${request}`, answer);
  const nap = napThrough(service);
  if (!asleep) return { kind: 'ready', nap };
  const level = past?.state === 'asleep' ? past.level : undefined;
  return { kind: 'asleep', nap, unproven: true, ...(level === undefined ? {} : { level }) };
}

/** Level 1 is all that comes back through a router. */
function napThrough({ version }: VllmService): NapAbility {
  const nap = napOf(releaseOf(version), 1);
  return nap.can ? { can: true, levels: [1] } : nap;
}
