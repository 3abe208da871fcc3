/** What a command line tells of the engine it runs. Pure. */
import type { EngineName } from '../core/engines.ts';
import type { Secret } from '../core/model.ts';
import type { Flags } from './flags.ts';
import type { Program } from './program.ts';
import { isOpen } from './shell.ts';

/** Where it listens. `said`: by its command line; else it is the engine's default, or (`open`) what is said can't be read. */
export type Listen =
  | { readonly host: string; readonly port: number; readonly said: 'yes' | 'default' | 'open' }
  | { readonly socket: string };

/** Over how many of the cards that it sees it spreads. */
export type Spread = number | 'all';

/** A key that clients must show: where a manifest could take it from; `inline`: it stands in the command line itself. */
export type Key = Secret | 'inline';

export interface Found {
  readonly engine: EngineName;
  readonly listen?: Listen;
  readonly tls?: true;
  /** As it is told to the engine: a name, or a path. */
  readonly model?: string;
  /** What clients call the model, where that is another name. */
  readonly servedName?: string;
  readonly models?: {
    readonly folder?: string;
    readonly preset?: string;
    readonly max?: number;
  };
  /** A file whose size says how much memory it needs. */
  readonly weights?: string;
  /** Of a whole card. */
  readonly utilization?: number;
  /** Its command line says no such share. */
  readonly isDefaultShare?: true;
  readonly spread: Spread;
  /** The cards it may see, as it is told: indices or UUIDs; absent = all. */
  readonly visible?: readonly string[];
  readonly onProcessor?: true;
  readonly key?: Key;
  readonly adminKey?: Key;
  /** It can be put to sleep as it is started. */
  readonly sleeps: boolean;
  /** What its start lacks for that; none: the engine has no sleep, or another reason. */
  readonly lacks: readonly string[];
  /** One that listens for others too, with vLLM's dev routes open. */
  readonly isExposed?: true;
  readonly container?: string;
  /** It says, or its surroundings say, that it uses a GPU; of an HTTP server nobody knows what it is. */
  readonly usesGpu?: boolean;
}

/** Reads one engine's command line; undefined: it is not that engine. */
export type Recognise = (program: Program, flags: Flags) => Found | undefined;

export const DEFAULT_HOST = '127.0.0.1';

/** `--host`, `--port` and their like. Ports of a container are those it is published at. */
export function listenOf(
  program: Program,
  given: { host?: string | undefined; port?: string | undefined },
  fallback: number,
): Listen {
  const host = given.host === undefined || isOpen(given.host) ? DEFAULT_HOST : given.host;
  if (host.startsWith('/') || host.endsWith('.sock')) return { socket: host };
  const inside = portOf(given.port);
  const said = given.port === undefined ? 'default' : inside === undefined ? 'open' : 'yes';
  const listen = { host, port: inside ?? fallback, said } as const;
  const { container } = program;
  if (!container || container.isOnHostNetwork) return listen;
  const published = container.ports.find((each) => each.inside === listen.port) ?? container.ports[0];
  return published ? { host: published.host || '0.0.0.0', port: published.port, said: 'yes' } : listen;
}

export function portOf(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port > 0 && port < 65536 ? port : undefined;
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host);
}

const VISIBLE = [
  'CUDA_VISIBLE_DEVICES',
  'HIP_VISIBLE_DEVICES',
  'ROCR_VISIBLE_DEVICES',
  'ASCEND_RT_VISIBLE_DEVICES',
  'NVIDIA_VISIBLE_DEVICES',
];

/** The cards it may see; an empty list is none. */
export function visibleTo({ env, container }: Program): { visible?: readonly string[]; onProcessor?: true } {
  const text = VISIBLE.map((name) => env[name]).find(
    (value) => value !== undefined && !isOpen(value) && value !== 'all',
  );
  const list = text?.split(',').map((item) => item.trim());
  if (list && (list[0] === '' || list[0] === '-1' || list[0] === 'none' || list[0] === 'void'))
    return { onProcessor: true };
  const visible = list ?? container?.gpus;
  return visible ? { visible } : {};
}

/** `flag`: in the command line; `name`: of the environment variable the engine reads itself. */
export function keyOf(given: string | undefined, env: Program['env'], name?: string): Key | undefined {
  if (given !== undefined) return 'inline';
  return name !== undefined && env[name] ? { env: name } : undefined;
}

/** A path or a name that can be shown; one with an unknown variable tells nothing. */
export const known = (text: string | undefined): string | undefined =>
  text === undefined || text === '' || isOpen(text) ? undefined : text;
