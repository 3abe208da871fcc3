/** llama.cpp's `llama-server`, as a router of models or with a single one. What it does to its models is in `nap.ts`. */
import type { EngineFacts, NapAbility } from '../../core/facts.ts';
import type { LlamacppService } from '../../core/model.ts';
import type { HttpResponse } from '../../io/http.ts';
import { brief, factsOfAnswer, jsonOf, valueAt, wordsOf, wrongEngine } from '../answer.ts';
import type { MakeDriver } from '../driver.ts';
import { lookInto, type Talk, talkTo } from '../talk.ts';
import { makeRouterCanary } from './canary.ts';
import { holdsMemory, isNamed, type Model, modelsIn, wantedOf } from './models.ts';
import { makeNap, unloadAll } from './nap.ts';
import { requestsIn } from './requests.ts';

export const makeLlamacpp: MakeDriver<LlamacppService> = (parts) => ({
  probe: (service, signal) => lookInto(parts, service, signal, (talk) => look(talk, service), '/health'),
  nap: makeNap(parts),
  inFlight: async (service, signal) => requestsIn(await talkTo(parts, service, signal)),
  beforeStop: async (service, signal) => unloadAll(parts, service, signal),
  canary: makeRouterCanary(parts),
});

/** An unloaded model is read from disk again, as after vLLM's level 2. */
const ROUTER_NAP: NapAbility = { can: true, levels: [2] };
const SINGLE_NAP: NapAbility = { can: false, why: { code: 'single-model' } };

/** Without `?model=` neither request loads or wakes anything. */
async function look(talk: Talk, service: LlamacppService): Promise<EngineFacts> {
  const [props, list] = await Promise.all([talk.ask('GET', '/props'), talk.ask('GET', '/models')]);
  if (props.status !== 200) return withoutProps(props);
  if (valueAt(jsonOf(list), 'data.0.owned_by') === 'koboldcpp') return wrongEngine('KoboldCpp');
  const json = jsonOf(props);
  const build = valueAt(json, 'build_info');
  const version = typeof build === 'string' ? { version: brief(build) } : {};
  if (valueAt(json, 'role') === 'router') {
    const models = modelsIn(list);
    return models ? routerFacts(service, models, version) : factsOfAnswer('GET /models', list);
  }
  // One that idles (`is_sleeping`) takes its memory back at the next request: it is planned for as awake.
  const isSingle = [valueAt(json, 'is_sleeping'), valueAt(json, 'model_path')].some((value) => value !== undefined);
  return isSingle ? { kind: 'ready', nap: SINGLE_NAP, ...version } : factsOfAnswer('GET /props', props);
}

function withoutProps(props: HttpResponse): EngineFacts {
  if (isLoading(props)) return { kind: 'loading' };
  const isOther = props.status === 404 && props.headers['server'] !== 'llama.cpp';
  return isOther ? wrongEngine('GET /props: 404') : factsOfAnswer('GET /props', props);
}

/** A single-model server answers before its model is there. */
function isLoading(answer: HttpResponse): boolean {
  return answer.status === 503 && wordsOf(answer) === 'Loading model';
}

function routerFacts(
  { models: names }: LlamacppService,
  models: readonly Model[],
  version: { readonly version?: string },
): EngineFacts {
  const wanted = wantedOf(names, models);
  if (!wanted) {
    const detail = brief(models.map(({ id }) => id).join(', '));
    return { kind: 'denied', why: { code: 'models-unclear', detail } };
  }
  if (!models.some(holdsMemory)) return { kind: 'asleep', level: 2, nap: ROUTER_NAP, ...version };
  const statusOf = (name: string) => models.find((model) => isNamed(model, name))?.status;
  const missing = wanted.filter((name) => statusOf(name) !== 'loaded');
  if (missing.length > 0 && missing.every((name) => statusOf(name) === 'loading')) return { kind: 'loading' };
  return { kind: 'ready', nap: ROUTER_NAP, missing, ...version };
}
