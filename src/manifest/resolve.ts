/** Checked files to the manifest the program works with: every default written out. Pure. */
import { dirname, join } from 'node:path';
import {
  type FailurePolicy,
  type HttpProbe,
  type HttpStep,
  type IdlePolicy,
  type Manifest,
  type Mode,
  OFF,
  type Scope,
  type Secret,
  type Service,
  type Timeouts,
} from '../core/model.ts';
import { GIB, MIB } from '../core/units.ts';
import type { FileEntry, ModeEntry, ProbeEntry, ServiceEntry, StepEntry, TimeoutsEntry } from './schema.ts';

/** A file that holds no fault. */
export interface Checked {
  readonly file: string;
  readonly entry: FileEntry;
}

/** What a service that says nothing gets. */
interface Defaults {
  readonly scope: Scope;
  readonly idle: IdlePolicy;
  readonly timeouts: Timeouts;
}

const TIMEOUTS: Timeouts = {
  startMs: 300e3,
  stopMs: 90e3,
  sleepMs: 120e3,
  wakeMs: 120e3,
  drainMs: 30e3,
  probeMs: 2e3,
};

/** `home`: for secrets in `~/`. */
export function resolve(checked: readonly Checked[], home: string): Manifest {
  const said = Object.assign({}, ...checked.map(({ entry }) => given(entry.defaults ?? {}))) as Partial<
    Defaults & { onFailure: FailurePolicy }
  >;
  const timeouts = checked.reduce((all, { entry }) => withTimeouts(all, entry.defaults?.timeouts), TIMEOUTS);
  const defaults: Defaults = { scope: said.scope ?? 'user', idle: said.idle ?? 'sleep', timeouts };
  const services = checked.flatMap(({ file, entry }) =>
    Object.entries(entry.services ?? {}).map(
      ([name, service]) => [name, serviceOf(name, service, defaults, { folder: dirname(file), home })] as const,
    ),
  );
  const modes = checked.flatMap(({ entry }) =>
    Object.entries(entry.modes ?? {}).map(([name, mode]) => [name, modeOf(name, mode)] as const),
  );
  const one = <T>(pick: (entry: FileEntry) => T | undefined) =>
    checked.map(({ entry }) => pick(entry)).find((value) => value !== undefined);
  return {
    files: checked.map(({ file }) => file),
    onFailure: said.onFailure ?? 'restore',
    gpuReserveBytes: one(({ gpus }) => gpus?.reserve) ?? 512 * MIB,
    hostReserveBytes: one(({ host }) => host?.reserve) ?? 4 * GIB,
    services: new Map(services),
    modes: new Map([...modes, [OFF.name, OFF]]),
  };
}

type Folders = { readonly folder: string; readonly home: string };

function serviceOf(name: string, entry: ServiceEntry, defaults: Defaults, folders: Folders): Service {
  const { awake, asleep, host } = entry.memory ?? {};
  const base = {
    name,
    unit: entry.unit ?? `${name}.service`,
    scope: entry.scope ?? defaults.scope,
    gpus: [...(entry.gpus ?? [0])].sort((a, b) => a - b),
    memory: given({ awakeBytes: awake, asleepBytes: asleep, hostBytes: host }),
    idle: entry.idle ?? defaults.idle,
    timeouts: withTimeouts(defaults.timeouts, entry.timeouts),
  };
  if (entry.engine === 'none') return { ...base, engine: 'none' };
  const { model, prompt, tokens = 1, expect } = entry.verify ?? {};
  const verify =
    model === undefined || prompt === undefined ? undefined : { model, prompt, tokens, ...given({ expect }) };
  const apiKey = entry.apiKey && secretOf(entry.apiKey, folders);
  const served = { ...base, url: entry.url.url, ...given({ apiKey, verify }) };
  switch (entry.engine) {
    case 'vllm':
      return {
        ...served,
        engine: 'vllm',
        sleep: { level: entry.sleep?.level ?? 1, drain: entry.sleep?.drain ?? 'wait' },
      };
    case 'llamacpp':
      return { ...served, engine: 'llamacpp', models: entry.models ?? [] };
    case 'http': {
      const asleep = entry.asleep && probeOf(entry.asleep);
      const nap =
        entry.sleep && entry.wake
          ? { sleep: entry.sleep.steps.map(stepOf), wake: entry.wake.steps.map(stepOf) }
          : undefined;
      return {
        ...served,
        engine: 'http',
        ready: probeOf(entry.ready ?? { path: '/health' }),
        ...given({ asleep, nap }),
      };
    }
  }
}

function probeOf({ path, method = 'GET', status, json, equals }: ProbeEntry): HttpProbe {
  return { path, method, ...given({ status, json, equals }) };
}

const METHODS = { post: 'POST', get: 'GET', put: 'PUT', patch: 'PATCH', delete: 'DELETE' } as const;

function stepOf(step: StepEntry): HttpStep {
  const { body, headers, timeout: timeoutMs, status } = step;
  const verbs = Object.keys(METHODS) as (keyof typeof METHODS)[];
  const verb = verbs.find((name) => step[name] !== undefined) ?? 'post';
  return { method: METHODS[verb], path: step[verb] ?? '/', ...given({ body, headers, timeoutMs, status }) };
}

function secretOf(secret: Secret, { folder, home }: Folders): Secret {
  if ('env' in secret) return secret;
  const { file } = secret;
  return { file: file.startsWith('~/') ? join(home, file.slice(2)) : file.startsWith('/') ? file : join(folder, file) };
}

function modeOf(name: string, { description, services, warm = [], others, default: isDefault }: ModeEntry): Mode {
  return { name, ...given({ description, others }), services, warm, default: isDefault ?? false };
}

function withTimeouts(base: Timeouts, entry: TimeoutsEntry = {}): Timeouts {
  const { start, stop, sleep, wake, drain, probe } = entry;
  const own = { startMs: start, stopMs: stop, sleepMs: sleep, wakeMs: wake, drainMs: drain, probeMs: probe };
  return { ...base, ...given(own) };
}

/** Without the keys that are undefined. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
