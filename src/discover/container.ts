/** `docker run` and `podman run`: the image, what is published, and what runs inside. Pure. */
import type { Env } from './shell.ts';

interface Published {
  /** Empty: every interface. */
  readonly host: string;
  readonly port: number;
  readonly inside: number;
}

export interface Container {
  /** Without its tag: `docker.io/vllm/vllm-openai`. */
  readonly image: string;
  readonly args: readonly string[];
  readonly env: Env;
  readonly ports: readonly Published[];
  readonly isOnHostNetwork: boolean;
  /** Indices or UUIDs of the cards it is given; undefined = all, or not said. */
  readonly gpus: readonly string[] | undefined;
}

/** All others take a value. */
const SWITCHES: ReadonlySet<string> = new Set(
  '-d --detach -i --interactive -t --tty -q --quiet --rm --rmi --init --privileged --read-only --no-healthcheck -P --publish-all --replace --sig-proxy --oom-kill-disable --no-hosts --no-hostname --env-host --http-proxy --tls-verify --disable-content-trust'.split(
    ' ',
  ),
);

export function containerOf(tool: string, args: readonly string[]): Container | undefined {
  if (!/^(docker|podman|nerdctl)$/.test(tool)) return undefined;
  const run = args.indexOf('run');
  if (run < 0) return undefined;
  const options: (readonly [string, string])[] = [];
  for (let i = run + 1; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (!arg.startsWith('-')) return made(arg, args.slice(i + 1), options);
    const [, name = arg, value] = /^(--[^=]+)=(.*)$/s.exec(arg) ?? [];
    if (value !== undefined) options.push([name, value]);
    else if (!SWITCHES.has(arg) && !/^-[dit]+$/.test(arg)) {
      // `-p8000:8000`
      const [, short, attached] = /^(-[a-z])(.+)$/.exec(arg) ?? [];
      options.push(short && attached ? [short, attached] : [arg, args[++i] ?? '']);
    }
  }
  return undefined;
}

function made(image: string, args: readonly string[], options: readonly (readonly [string, string])[]): Container {
  const all = (...names: readonly string[]) =>
    options.flatMap(([name, value]) => (names.includes(name) ? [value] : []));
  const env = all('-e', '--env').map((entry): [string, string] => {
    const [name = '', ...value] = entry.split('=');
    return [name, value.join('=')];
  });
  const entry = all('--entrypoint').flatMap((program) => program.split(' '));
  return {
    image: image.replace(/@.*$/, '').replace(/:[^/]*$/, ''),
    args: [...entry, ...args],
    env: Object.fromEntries(env),
    ports: all('-p', '--publish').flatMap(publishedIn),
    isOnHostNetwork: all('--network', '--net').includes('host'),
    gpus: gpusIn([...all('--gpus'), ...all('--device')]),
  };
}

/** `8000:80`, `127.0.0.1:8000:80/tcp`, `[::1]:8000:80`. */
function publishedIn(text: string): readonly Published[] {
  const [, host = '', port = '', inside = ''] = /^(?:(.+):)?(\d+):(\d+)(?:\/tcp)?$/.exec(text) ?? [];
  return port === '' ? [] : [{ host, port: Number(port), inside: Number(inside) }];
}

/** `"device=0,1"`, `nvidia.com/gpu=0`, `all`. */
function gpusIn(asked: readonly string[]): readonly string[] | undefined {
  const named = asked.flatMap((text) => {
    const [, list] = /(?:device=|nvidia\.com\/gpu=)([\w,-]+)/.exec(text) ?? [];
    return list === undefined || list === 'all' ? [] : list.split(',');
  });
  return named.length > 0 ? named : undefined;
}
