/** Keys that other programs (llama-swap, llmsnap) have for such things, and what to write in their place. Pure. */
import type { Path } from './fault.ts';

/** `key`: of the same mapping, and means the same. */
type Meant = { readonly key: string } | { readonly hint: string };

const key = (name: string): Meant => ({ key: name });
const hint = (text: string): Meant => ({ hint: text });

const generic = (engines: string, text: string): Meant => hint(`for engine ${engines} it is ${text}; others need none`);
const command = (way: string): Meant => generic('http or exec', `${way}: {steps: [{exec: [PROGRAM, ARG]}]}`);
const request = (way: string): Meant => generic('http', `${way}: {steps: [{post: PATH}]}`);

type Table = Readonly<Record<string, Meant>>;

const TOP: Table = {
  models: key('services'),
  groups: key('modes'),
  macros: hint(`there are none; \${NAME} is replaced from the environment`),
};

const SERVICE: Table = {
  cmd: hint('start it by a systemd unit: unit: NAME.service (gpumod unit render writes one from its run:)'),
  cmdStop: hint('systemd stops it, by its unit: unit: NAME.service'),
  cmdSleep: command('sleep'),
  cmdWake: command('wake'),
  sleepEndpoints: request('sleep'),
  wakeEndpoints: request('wake'),
  checkEndpoint: generic('http', 'ready: {path: PATH}'),
  env: hint('it belongs in the systemd unit: Environment=NAME=VALUE; or in run: {env: {NAME: VALUE}}'),
  proxy: key('url'),
  host: key('url'),
  port: key('url'),
  ttl: hint('gpumod has no idle timer'),
};

/** Of a sleep or wake, by engine. */
const SLEEP: Readonly<Record<string, Table>> = {
  sglang: { level: hint('its server decides: --enable-weights-cpu-backup') },
};

const STEP: Table = {
  endpoint: hint('it is post: PATH'),
  path: hint('it is post: PATH'),
  method: hint('it is the key of the path: post: PATH'),
};

/** Of the mapping that `path` leads into, in a service of this engine. */
function tableFor(path: Path, engine: unknown): Table | undefined {
  if (path.length === 1) return TOP;
  if (path[0] !== 'services') return undefined;
  if (path.length === 3) return SERVICE;
  if (path[2] !== 'sleep' && path[2] !== 'wake') return undefined;
  if (path.length === 4 && typeof engine === 'string') return Object.hasOwn(SLEEP, engine) ? SLEEP[engine] : undefined;
  return path.length === 6 && engine !== 'exec' ? STEP : undefined;
}

export function meantBy(path: Path, engine: unknown): Meant | undefined {
  const table = tableFor(path, engine) ?? {};
  const name = String(path.at(-1));
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** A step in the words of another program: all that is wrong with it is told at its keys. */
export const isForeignStep = (step: object): boolean => Object.keys(STEP).some((name) => Object.hasOwn(step, name));
