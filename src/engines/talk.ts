/** Talking to one engine for the length of one call: its URL, its key, and what becomes of a request that fails. */
import { GpumodError } from '../core/errors.ts';
import type { EngineFacts } from '../core/facts.ts';
import type { Secret, ServedService, Service } from '../core/model.ts';
import type { HttpFailure, HttpResponse } from '../io/http.ts';
import { brief, factsOfFailure, isHttpFailure, isOk, wordsOf } from './answer.ts';
import type { DriverParts } from './driver.ts';
import { requestName } from './request-name.ts';

export interface Say {
  /** Sent as JSON; without it the body is empty. */
  readonly json?: unknown;
  /** Sent as it is, instead; it is JSON unless `headers` say otherwise. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** To an admin route: with the admin key, where the service has one of its own. */
  readonly admin?: true;
  /** Statuses that are an answer to a `tell`, besides 2xx. */
  readonly accept?: readonly number[];
  readonly maxBodyBytes?: number;
  /** Texts that an answer may quote, and no error may show. */
  readonly untold?: readonly string[];
}

export interface Talk {
  /** Any answer is an answer. Throws HttpFailure, or the signal's reason. */
  ask(method: string, path: string, say?: Say): Promise<HttpResponse>;
  /** Sent once. Throws `engine-refused` and `engine-unreachable`, which name the request. */
  tell(method: string, path: string, say?: Say): Promise<HttpResponse>;
}

/** `url`: one of several of the service, which errors name. Throws `secret-missing`. vLLM's dev routes ask for no key, and take one without complaint: it is always sent. */
export async function talkTo(
  parts: DriverParts,
  service: ServedService,
  signal: AbortSignal,
  url?: string,
): Promise<Talk> {
  const { apiKey, adminKey = apiKey } = service;
  const keyOf = async (secret: Secret | undefined) => secret && (await parts.secret(secret, service.name));
  const keys = { user: await keyOf(apiKey), admin: await keyOf(adminKey) };
  const base = baseOf(url ?? service.url);
  const ask: Talk['ask'] = async (method, path, { json, text, headers, admin, maxBodyBytes } = {}) => {
    const body = text ?? (json === undefined ? undefined : JSON.stringify(json));
    const key = admin ? keys.admin : keys.user;
    return parts.http.request({
      method,
      url: base + path,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
      ...(service.ca === undefined ? {} : { ca: service.ca }),
      signal,
    });
  };
  return {
    ask,
    async tell(method, path, say = {}) {
      const request = requestName(method, `${url ?? ''}${path}`);
      const response = await ask(method, path, say).catch((error: unknown) => {
        throw isHttpFailure(error) ? unreachable(service, request, error) : error;
      });
      if (isOk(response) || say.accept?.includes(response.status)) return response;
      throw refused(service, request, without(response, say.untold ?? []));
    },
  };
}

/** The same answer, with `***` in the place of these texts. */
export function without(response: HttpResponse, texts: readonly string[]): HttpResponse {
  const text = texts.reduce((clean, each) => clean.replaceAll(each, '***'), response.text);
  return { ...response, text };
}

/** Without a trailing slash: vLLM answers `//sleep` with 404 and `/sleep/` with a redirect. */
function baseOf(url: string): string {
  const base = url.replace(/\/+$/, '');
  return /^http:\/\/unix:[^:]+$/.test(base) ? `${base}:` : base;
}

export function refused({ name: service }: Service, request: string, response: HttpResponse): GpumodError {
  return new GpumodError('engine-refused', { service, request, status: response.status, reason: wordsOf(response) });
}

export function unreachable({ name: service }: Service, request: string, cause: HttpFailure): GpumodError {
  const reason = `${cause.kind}: ${brief(cause.message)}`;
  return new GpumodError('engine-unreachable', { service, request, reason }, { cause });
}

export function cannot({ name: service }: Service, verb: string, reason: string): GpumodError {
  return new GpumodError('engine-cannot', { service, verb, reason });
}

export function contradicts({ name: service }: Service, wanted: string, reported: string): GpumodError {
  return new GpumodError('engine-contradicts', { service, wanted, reported });
}

/** How long an engine may think before we ask for a sign of life. */
const PATIENCE_MS = 250;

/**
 * One look at an engine: failures become facts, and no request outlives it. An engine that keeps `look` waiting until
 * the signal ends, and answers `GET lifeSign` with 200 meanwhile, is `busy`: a sleep or wake runs inside.
 */
export async function lookInto(
  parts: DriverParts,
  service: ServedService,
  signal: AbortSignal,
  look: (talk: Talk) => Promise<EngineFacts>,
  lifeSign?: string,
): Promise<EngineFacts> {
  const over = new AbortController();
  const scope = AbortSignal.any([signal, over.signal]);
  let alive = false;
  try {
    const talk = await talkTo(parts, service, scope);
    if (lifeSign !== undefined)
      parts.clock
        .sleep(PATIENCE_MS, scope)
        .then(() => talk.ask('GET', lifeSign))
        .then(({ status }) => {
          alive = status === 200;
        })
        .catch(() => {}); // none
    return await look(talk);
  } catch (error) {
    return signal.aborted && alive ? { kind: 'busy' } : factsOfFailure(error);
  } finally {
    over.abort();
  }
}
