/** Requests of a manifest entry: a probe that tells a state, a step that changes it. */
import { isDeepStrictEqual } from 'node:util';
import { GpumodError, isGpumodError } from '../../core/errors.ts';
import type { HttpProbe, HttpService, HttpStep } from '../../core/model.ts';
import type { HttpResponse } from '../../io/http.ts';
import { factsOfAnswer, isOk, jsonOf } from '../answer.ts';
import type { DriverParts } from '../driver.ts';
import { hiddenIn, requestName } from '../request-name.ts';
import { refused, type Say, type Talk, without } from '../talk.ts';
import { valueAt } from './pointer.ts';
import type { Told } from './state.ts';

/** A missing route, or another value at the path, is a "no"; a refusal, a crash or a body without the path tells nothing. */
export async function askRequest(
  parts: DriverParts,
  service: HttpService,
  probe: HttpProbe,
  talk: Talk,
): Promise<Told> {
  const say = await contentOf(parts, service, probe);
  const answer = await talk.ask(probe.method, probe.path, say);
  const facts = factsOfAnswer(nameOfRequest(probe), without(answer, say.untold));
  const no: Told = { kind: 'no', facts: isLoading(probe, answer) ? { kind: 'loading' } : facts };
  const unclear: Told = { kind: 'unclear', facts };
  if (!hasStatus(probe, answer)) return tellsNothing(answer) ? unclear : no;
  if (probe.json === undefined) return { kind: 'yes' };
  const value = valueAt(jsonOf(answer), probe.json);
  if (value === undefined) return unclear;
  const holds = probe.equals === undefined ? Boolean(value) : isDeepStrictEqual(value, probe.equals);
  return holds ? { kind: 'yes' } : no;
}

/** Throws `engine-refused`, `engine-unreachable`, `secret-missing`. */
export async function takeRequest(parts: DriverParts, service: HttpService, step: HttpStep, talk: Talk): Promise<void> {
  const { method, path, status } = step;
  const say = await contentOf(parts, service, step);
  const answer = await talk.tell(method, path, { ...say, ...(status === undefined ? {} : { accept: [status] }) });
  if (!hasStatus(step, answer)) throw refused(service, nameOfRequest(step), without(answer, say.untold));
}

export const nameOfRequest = ({ method, path }: Pick<HttpStep, 'method' | 'path'>): string => requestName(method, path);

/** Names in lower case: a header of the entry takes the place of one of ours. */
async function contentOf(
  parts: DriverParts,
  service: HttpService,
  step: Pick<HttpStep, 'path' | 'body' | 'headers'>,
): Promise<Say & Required<Pick<Say, 'untold'>>> {
  const { body } = step;
  const headers = await headersOf(parts, service, step);
  const texts = [...Object.values(headers), ...hiddenIn(step.path), ...textsIn(body)];
  return {
    headers,
    untold: texts.filter((text) => text.length >= SHORTEST_KEY),
    ...(typeof body === 'string' ? { text: body } : body === undefined ? {} : { json: body }),
  };
}

/** A shorter one is no secret, and without it an answer may make no sense. */
const SHORTEST_KEY = 6;

/** Any of them may be a key that came from the environment. */
function textsIn(body: unknown): readonly string[] {
  if (typeof body === 'string') return [body];
  return typeof body === 'object' && body !== null ? Object.values(body).flatMap(textsIn) : [];
}

/** Throws `secret-missing`, which names the header. */
export async function headersOf(
  { secret }: DriverParts,
  { name: service }: HttpService,
  { headers = {} }: Pick<HttpStep, 'headers'>,
): Promise<Readonly<Record<string, string>>> {
  const texts = await Promise.all(
    Object.entries(headers).map(async ([header, value]) => {
      const text = typeof value === 'string' ? value : await secret(value, service).catch(naming(header));
      return [header.toLowerCase(), text] as const;
    }),
  );
  return Object.fromEntries(texts);
}

const naming = (header: string) => (error: unknown) => {
  if (!isGpumodError(error) || error.code !== 'secret-missing') throw error;
  throw new GpumodError('secret-missing', { ...error.details, header }, { cause: error });
};

function hasStatus({ status }: Pick<HttpStep, 'status'>, answer: HttpResponse): boolean {
  return status === undefined ? isOk(answer) : answer.status === status;
}

function tellsNothing({ status }: HttpResponse): boolean {
  return status === 401 || status === 403 || (status >= 500 && status !== LOADING);
}

/** What servers say while they load. */
const LOADING = 503;

/** It says that it loads, or it is understood and says that it is not ready. */
function isLoading(probe: HttpProbe, answer: HttpResponse): boolean {
  return answer.status === LOADING || hasStatus(probe, answer);
}
