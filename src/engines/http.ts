/** Any HTTP server that its manifest entry describes: probes that tell its state, requests that put it to sleep and wake it. */
import { isDeepStrictEqual } from 'node:util';
import { GpumodError } from '../core/errors.ts';
import type { EngineFacts, NapAbility } from '../core/facts.ts';
import type { HttpProbe, HttpService, HttpStep } from '../core/model.ts';
import type { HttpResponse } from '../io/http.ts';
import { factsOfAnswer, isOk, jsonOf, valueAt } from './answer.ts';
import { makeCanary } from './canary.ts';
import { within } from './deadline.ts';
import type { DriverParts, MakeDriver } from './driver.ts';
import { cannot, contradicts, lookInto, refused, type Talk, talkTo } from './talk.ts';

export const makeHttp: MakeDriver<HttpService> = (parts) => ({
  probe: (service, signal) => lookInto(parts, service, signal, (talk) => look(talk, service)),
  nap: {
    sleep: (service, _level, _options, signal) => change(parts, service, 'sleep', signal),
    wake: (service, _level, signal) => change(parts, service, 'wake', signal),
  },
  canary: makeCanary(parts),
});

/**
 * Without an `asleep` probe a sleeper can't be told from one that is awake, so it is never put to sleep. How deep it sleeps
 * is the manifest's business; level 1 stands for "as its steps say".
 */
function napOf({ nap, asleep }: HttpService): NapAbility {
  return nap && asleep ? { can: true, levels: [1] } : { can: false, why: { code: 'no-steps' } };
}

/** Asleep is asked first: many servers call themselves healthy in their sleep. */
async function look(talk: Talk, service: HttpService): Promise<EngineFacts> {
  const [asleep, ready] = await Promise.all([
    service.asleep ? test(talk, service.asleep) : NO,
    test(talk, service.ready),
  ]);
  if (asleep.kind === 'yes') return { kind: 'asleep', nap: napOf(service) };
  if (asleep.kind === 'unclear') return asleep.facts;
  if (ready.kind === 'yes') return { kind: 'ready', nap: napOf(service) };
  return ready.kind === 'unclear' ? ready.facts : notReady(service.ready, ready.answer);
}

type Test =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no'; readonly answer?: HttpResponse }
  | { readonly kind: 'unclear'; readonly facts: EngineFacts };

const NO: Test = { kind: 'no' };

/** A missing route, or another value at the path, is a "no"; a refusal, a crash or a body without the path tells nothing. */
async function test(talk: Talk, probe: HttpProbe): Promise<Test> {
  const answer = await talk.ask(probe.method, probe.path);
  if (!hasStatus(probe, answer)) return tellsNothing(answer) ? unclear(probe, answer) : { kind: 'no', answer };
  if (probe.json === undefined) return { kind: 'yes' };
  const value = valueAt(jsonOf(answer), probe.json);
  if (value === undefined) return unclear(probe, answer);
  const holds = probe.equals === undefined ? Boolean(value) : isDeepStrictEqual(value, probe.equals);
  return holds ? { kind: 'yes' } : { kind: 'no', answer };
}

function hasStatus({ status }: HttpProbe, answer: HttpResponse): boolean {
  return status === undefined ? isOk(answer) : answer.status === status;
}

function tellsNothing({ status }: HttpResponse): boolean {
  return status === 401 || status === 403 || (status >= 500 && status !== LOADING);
}

/** What servers say while they load. */
const LOADING = 503;

function unclear({ method, path }: HttpProbe, answer: HttpResponse): Test {
  return { kind: 'unclear', facts: factsOfAnswer(`${method} ${path}`, answer) };
}

/** It says that it loads, or it is understood and says that it is not ready. */
function notReady(probe: HttpProbe, answer: HttpResponse | undefined): EngineFacts {
  if (!answer || answer.status === LOADING || hasStatus(probe, answer)) return { kind: 'loading' };
  return factsOfAnswer(`${probe.method} ${probe.path}`, answer);
}

const POLL_MS = 100;

/** Sends the steps in order, each once, then polls until the probes tell the new state or the signal ends. */
async function change(
  parts: DriverParts,
  service: HttpService,
  verb: 'sleep' | 'wake',
  signal: AbortSignal,
): Promise<void> {
  if (!service.nap || !service.asleep) throw cannot(service, verb, 'no-steps');
  const [from, to] = verb === 'sleep' ? (['ready', 'asleep'] as const) : (['asleep', 'ready'] as const);
  const talk = await talkTo(parts, service, signal);
  const before = await look(talk, service);
  if (before.kind === to) return;
  if (before.kind !== from) throw contradicts(service, from, before.kind);
  for (const step of service.nap[verb]) await take(parts, service, step, signal);
  while ((await look(talk, service)).kind !== to) await parts.clock.sleep(POLL_MS, signal);
}

async function take(parts: DriverParts, service: HttpService, step: HttpStep, signal: AbortSignal): Promise<void> {
  const { method, path, body, headers, timeoutMs, status } = step;
  const request = `${method} ${path}`;
  const send = async (scope: AbortSignal) => {
    const talk = await talkTo(parts, service, scope);
    const answer = await talk.tell(method, path, {
      ...(body === undefined ? {} : { json: body }),
      ...(headers ? { headers } : {}),
      ...(status === undefined ? {} : { accept: [status] }),
    });
    if (status !== undefined && answer.status !== status) throw refused(service, request, answer);
  };
  if (timeoutMs === undefined) return send(signal);
  await within({ clock: parts.clock, ms: timeoutMs, signal }, send, () => {
    throw new GpumodError('timed-out', { what: request, afterMs: timeoutMs });
  });
}
