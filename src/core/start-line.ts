/** What a unit's command line says to its engine. Pure; it knows the forms that people use, and says so of the others. */
import type { EngineName } from './engines.ts';
import { harmless, type UnitSettings } from './unit-settings.ts';

export interface StartLine {
  /** The engine's own arguments. */
  readonly args: readonly string[];
  /** Assignments before the program (`env A=1 ...`), and of a container's `-e A=1`. */
  readonly environment: UnitSettings['environment'];
  /** Nothing else may add arguments: no variable, no file of options. What is not there is not set. */
  readonly isWhole: boolean;
  /** The unit's own program, so that an argument can be put behind the last one. */
  readonly isPlain: boolean;
  /** It runs in a container: its address and its environment are others. */
  readonly isContained: boolean;
}

const SHELLS = ['sh', 'bash', 'dash', 'zsh'];
const CONTAINERS = ['docker', 'podman', 'nerdctl', 'apptainer', 'singularity'];

/** By which word of a command line, and perhaps the next, each engine is told; of a container, by its image too. */
const PROGRAMS: Readonly<Partial<Record<EngineName, { readonly program: RegExp; readonly image: RegExp }>>> = {
  vllm: { program: /^(\S*\/)?vllm serve$|^vllm\.entrypoints\./, image: /^[^-]\S*vllm\S* |^vllm\S* / },
  llamacpp: { program: /^(\S*\/)?llama-server( |$)/, image: /^[^-]\S*llama\.cpp\S* / },
};

/** Undefined: nothing in it is known as that engine. */
export function startLineOf(engine: EngineName, argv: readonly string[]): StartLine | undefined {
  const [program = '', option = '', script] = argv;
  const isShell = SHELLS.includes(nameOf(program)) && /^-\w*c$/.test(option) && script !== undefined;
  const words = isShell ? wordsOf(script) : argv;
  const runner = words.findIndex((word) => CONTAINERS.includes(nameOf(word)));
  const isContained = runner >= 0;
  const { program: own, image } = PROGRAMS[engine] ?? {};
  const at = words.findIndex((word, i) => {
    const both = `${word} ${words[i + 1] ?? ''}`;
    return own?.test(both.trim()) || (isContained && i > runner && image?.test(both));
  });
  if (at < 0) return undefined;
  const args = words.slice(at + 1);
  return {
    args,
    environment: harmless(isContained ? words : words.slice(0, at)),
    isWhole: !words.some((word) => /[$`]/.test(word)) && !args.some((word) => /^--config(=|$)/.test(word)),
    isPlain: !isShell && !isContained,
    isContained,
  };
}

/** Its value; '' when it is there without one; undefined when it is not. The last one counts, as engines have it. */
export function flag(args: readonly string[], ...names: readonly string[]): string | undefined {
  const at = args.findLastIndex((word) => names.includes(nameIn(word)));
  const word = args[at];
  if (word === undefined) return undefined;
  if (word.includes('=')) return word.slice(word.indexOf('=') + 1);
  const next = args[at + 1];
  return next === undefined || /^--?[A-Za-z]/.test(next) ? '' : next;
}

/** The arguments with this one set anew. */
export function withFlag(argv: readonly string[], name: string, value?: string): readonly string[] {
  const at = argv.findLastIndex((word) => nameIn(word) === name);
  const set = value === undefined ? [name] : [name, value];
  if (at < 0) return [...argv, ...set];
  const width = argv[at]?.includes('=') || value === undefined ? 1 : 2;
  return [...argv.slice(0, at), ...set, ...argv.slice(at + width)];
}

/** vLLM takes `_` for `-`. */
function nameIn(word: string): string {
  const [name = ''] = word.split('=', 1);
  return name.startsWith('--') ? name.replaceAll('_', '-') : name;
}

const SECRET = /key|token|secret|passw|credential|auth|header|:\/\/[^/\s]*@/i;

/** The line as a unit file has it; undefined where a word of it may be, or be followed by, a secret. */
export function execStart(argv: readonly string[]): string | undefined {
  if (argv.some((word) => SECRET.test(word) || /\p{C}/u.test(word))) return undefined;
  return `ExecStart=${argv.map(quoted).join(' ')}`;
}

/** systemd reads quotes, backslashes and `%`; `$` it has left as it was. */
function quoted(word: string): string {
  const text = word.replaceAll('%', '%%');
  return /^[\w@%+=:,./$-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Blanks part words, quotes hold them together; what more a shell would do is not done. */
function wordsOf(script: string): readonly string[] {
  return [...script.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
}
