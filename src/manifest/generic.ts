/** What a generic engine's entry says of its probes and steps. Pure. */

import { given } from '../core/given.ts';
import type { ExecProbe, ExecService, ExecStep, HttpProbe, HttpService, HttpStep, NapSteps } from '../core/model.ts';
import { type Folders, placedCommand, placedSecret } from './place.ts';
import type { ExecEntry, HttpEntry, ProbeEntry, StepEntry } from './schema.ts';

export function requestsOf(entry: HttpEntry, folders: Folders): Pick<HttpService, 'ready' | 'asleep' | 'nap'> {
  const probe = (one: ProbeEntry) => probeOf(one, folders);
  const asleep = entry.asleep && probe(entry.asleep);
  const nap = napOf(entry, (step) => stepOf(step, folders));
  return { ready: probe(entry.ready ?? { path: '/health' }), ...given({ asleep, nap }) };
}

export function commandsOf(entry: ExecEntry, folders: Folders): Pick<ExecService, 'ready' | 'asleep' | 'nap'> {
  const command = ({ exec }: ExecProbe): ExecProbe => ({ exec: placedCommand(exec, folders) });
  const ready = entry.ready && command(entry.ready);
  const asleep = entry.asleep && command(entry.asleep);
  const nap = napOf(entry, (step): ExecStep => ({ ...command(step), ...given({ timeoutMs: step.timeout }) }));
  return given({ ready, asleep, nap });
}

interface Steps<E> {
  /** Of each step that has none, milliseconds. */
  readonly timeout?: number | undefined;
  readonly steps: readonly E[];
}

function napOf<E extends { readonly timeout?: number | undefined }, S>(
  { sleep, wake }: { readonly sleep?: Steps<E> | undefined; readonly wake?: Steps<E> | undefined },
  stepOf: (entry: E) => S,
): NapSteps<S> | undefined {
  const all = ({ timeout, steps }: Steps<E>) => steps.map((step) => stepOf({ timeout, ...given(step) } as E));
  return sleep && wake && { sleep: all(sleep), wake: all(wake) };
}

function probeOf(entry: ProbeEntry, folders: Folders): HttpProbe | ExecProbe {
  const { exec, path = '/', body, status, json, equals } = entry;
  if (exec) return { exec: placedCommand(exec, folders) };
  const { method = body === undefined ? 'GET' : 'POST' } = entry;
  return { path, method, ...given({ headers: headersOf(entry, folders), body, status, json, equals }) };
}

const METHODS = { post: 'POST', get: 'GET', put: 'PUT', patch: 'PATCH', delete: 'DELETE' } as const;

function stepOf(entry: StepEntry, folders: Folders): HttpStep | ExecStep {
  const { exec, body, timeout: timeoutMs, status } = entry;
  if (exec) return { exec: placedCommand(exec, folders), ...given({ timeoutMs }) };
  const verbs = Object.keys(METHODS) as (keyof typeof METHODS)[];
  const verb = verbs.find((name) => entry[name] !== undefined) ?? 'post';
  const content = { headers: headersOf(entry, folders), body };
  return { method: METHODS[verb], path: entry[verb] ?? '/', ...given({ ...content, timeoutMs, status }) };
}

function headersOf({ headers }: Pick<StepEntry, 'headers'>, folders: Folders): HttpStep['headers'] {
  if (!headers) return undefined;
  const values = Object.entries(headers).map(
    ([name, value]) => [name, typeof value === 'string' ? value : placedSecret(value, folders)] as const,
  );
  return Object.fromEntries(values);
}
