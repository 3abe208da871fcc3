/** What a command line really runs: behind wrappers, shells, Python and container tools. Pure. */
import { type Container, containerOf } from './container.ts';
import { type Command, commandsIn, type Env } from './shell.ts';

export interface Program {
  /** Base name of the program; of Python its module (`vllm.entrypoints.openai.api_server`) or script (`main.py`). */
  readonly name: string;
  /** As it is written; empty of a Python module and of a container's own entry point. */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Env;
  readonly container?: Container;
}

/** A script that would have to be read to know more. */
export interface Script {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Env;
}

export interface Unwrapped {
  readonly programs: readonly Program[];
  readonly scripts: readonly Script[];
}

const NOTHING: Unwrapped = { programs: [], scripts: [] };
const DEEPEST = 8;

export function unwrap(command: Command, depth = 0): Unwrapped {
  const { argv, env } = command;
  const [path = '', ...args] = argv;
  if (path === '' || depth > DEEPEST) return NOTHING;
  const name = baseName(path);
  const inner = behind(name, args, env);
  if (inner) return unwrap(inner, depth + 1);
  if (SHELL.test(name)) return inShell(args, env, depth);
  const container = containerOf(name, args);
  if (container) return inContainer(container, env, depth);
  if (PYTHON.test(name)) return { programs: inPython(args, env), scripts: [] };
  const scripts = /\.(ba)?sh$/.test(name) || isHomemade(path) ? [{ path, args, env }] : [];
  return { programs: [{ name, path, args, env }], scripts };
}

/** All commands of a script. */
export function unwrapScript(text: string, { env, args }: Script, depth = 1): Unwrapped {
  const all = commandsIn(text, env, args).map((command) => unwrap(command, depth));
  return { programs: all.flatMap(({ programs }) => programs), scripts: all.flatMap(({ scripts }) => scripts) };
}

/** No engine is run as this: what a machine brings with it, in its own folders. */
export function isForeign(argv: readonly string[]): boolean {
  const [path = ''] = argv;
  const name = baseName(path);
  if (SHELL.test(name) || PYTHON.test(name) || isWrapper(name) || /^(docker|podman|nerdctl)$/.test(name)) return false;
  return (
    /^\/(usr\/)?(s?bin|lib|lib64|libexec)\//.test(path) && !/vllm|llama|sglang|comfy|tabby|kobold|uvicorn/i.test(name)
  );
}

const SHELL = /^(ba|da|z|k|a)?sh$/;
const PYTHON = /^(python[\d.]*|pypy[\d.]*)$/;

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Not one of the system's own, nor in a virtual environment: it may be a script without a suffix. */
const isHomemade = (path: string): boolean =>
  path.startsWith('/') && !/^\/(usr|s?bin|lib)\//.test(path) && !/\/(bin|build)\//.test(path);

function inShell(args: readonly string[], env: Env, depth: number): Unwrapped {
  const at = args.findIndex((arg) => /^-[a-z]*c$/.test(arg));
  if (at >= 0) return unwrapScript(args[at + 1] ?? '', { path: '', args: args.slice(at + 3), env }, depth + 1);
  const script = args.findIndex((arg) => !/^[-+]/.test(arg));
  const path = args[script];
  return path === undefined ? NOTHING : { programs: [], scripts: [{ path, args: args.slice(script + 1), env }] };
}

function inContainer(container: Container, outer: Env, depth: number): Unwrapped {
  const { args, env } = container;
  const own: Program = { name: '', path: '', args, env: { ...env }, container };
  const [first] = args;
  // `docker run IMAGE CMD...`; an argument of the image's own entry point looks like an option.
  const inner = first === undefined || first.startsWith('-') ? NOTHING : unwrap({ argv: args, env }, depth + 1);
  const named = inner.programs.map((program) => ({ ...program, container }));
  return { programs: [...named, { ...own, env: { ...visibleIn(outer), ...env } }], scripts: [] };
}

/** Only this of the outer environment reaches a container, by way of the runtime. */
function visibleIn({ NVIDIA_VISIBLE_DEVICES: devices }: Env): Env {
  return devices === undefined ? {} : { NVIDIA_VISIBLE_DEVICES: devices };
}

function inPython(args: readonly string[], env: Env): readonly Program[] {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '-c') return [];
    if (arg === '-m') return [{ name: args[i + 1] ?? '', path: '', args: args.slice(i + 2), env }];
    if (arg === '-X' || arg === '-W') i++;
    else if (!arg.startsWith('-')) return [{ name: baseName(arg), path: arg, args: args.slice(i + 1), env }];
  }
  return [];
}

/** Programs that run another one: options that have the next word for a value, and words before the program. */
const WRAPPERS: Readonly<Record<string, { readonly valued?: string; readonly words?: number }>> = {
  env: { valued: '-u --unset -C --chdir' },
  nice: { valued: '-n --adjustment' },
  ionice: { valued: '-c --class -n --classdata' },
  taskset: { words: 1 },
  chrt: { words: 1, valued: '-T -P -D' },
  numactl: { valued: '-N -m -C -i -p --cpunodebind --membind --physcpubind --interleave --preferred' },
  timeout: { words: 1, valued: '-k --kill-after -s --signal' },
  stdbuf: { valued: '-i -o -e' },
  sudo: { valued: '-u --user -g --group -h -p -C -D --chdir -R -r -t -T -U' },
  runuser: { valued: '-u --user -g --group' },
  setpriv: { valued: '--reuid --regid --groups --ambient-caps --bounding-set' },
  flock: { words: 1, valued: '-w --timeout -E' },
  choom: { valued: '-n --adjust' },
  prlimit: {},
  nohup: {},
  setsid: {},
  tini: { valued: '-e' },
  'dumb-init': {},
  unbuffer: {},
  'systemd-inhibit': {},
  'systemd-run': { valued: '-p --property -u --unit -E --setenv -M -H --slice --uid --gid --description' },
  'systemd-cat': { valued: '-t --identifier -p --priority' },
};

const UV =
  '-p --python --with --with-editable --with-requirements --extra --group --project --directory --env-file --package --from --index --index-url';
/** The same, behind a word of their own: `uv run`. */
const RUNNERS: Readonly<Record<string, { readonly words: readonly string[]; readonly valued: string }>> = {
  uv: { words: ['run', 'tool run'], valued: UV },
  uvx: { words: [''], valued: UV },
  pipx: { words: ['run'], valued: '--spec --python' },
  poetry: { words: ['run'], valued: '-C --directory -P --project' },
  pdm: { words: ['run'], valued: '-p --project' },
  pipenv: { words: ['run'], valued: '' },
  hatch: { words: ['run'], valued: '' },
  pixi: { words: ['run'], valued: '-e --environment --manifest-path' },
  conda: { words: ['run'], valued: '-n --name -p --prefix --cwd' },
  mamba: { words: ['run'], valued: '-n --name -p --prefix --cwd' },
  micromamba: { words: ['run'], valued: '-n --name -p --prefix -r --root-prefix --cwd' },
};

const isWrapper = (name: string): boolean => Object.hasOwn(WRAPPERS, name) || Object.hasOwn(RUNNERS, name);

function behind(name: string, args: readonly string[], env: Env): Command | undefined {
  if (Object.hasOwn(WRAPPERS, name)) {
    const { valued = '', words = 0 } = WRAPPERS[name] ?? {};
    return after(args, valued.split(' '), words, env);
  }
  if (!Object.hasOwn(RUNNERS, name)) return undefined;
  const { words = [], valued = '' } = RUNNERS[name] ?? {};
  const said = words.find((word) => word === '' || `${args.join(' ')} `.startsWith(`${word} `));
  if (said === undefined) return undefined;
  const rest = args.slice(said === '' ? 0 : said.split(' ').length);
  const inner = after(rest, valued.split(' '), 0, env);
  // `uv run server.py` runs it by Python.
  return inner?.argv[0]?.endsWith('.py') ? { ...inner, argv: ['python', ...inner.argv] } : inner;
}

function after(args: readonly string[], valued: readonly string[], words: number, env: Env): Command | undefined {
  const set: Record<string, string> = { ...env };
  let left = words;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(arg) ?? [];
    if (arg === '--' && left === 0) return { argv: args.slice(i + 1), env: set };
    if (valued.includes(arg)) i++;
    else if (name !== undefined && left === 0) set[name] = value ?? '';
    else if (!arg.startsWith('-') && left-- <= 0) return { argv: args.slice(i), env: set };
  }
  return undefined;
}
