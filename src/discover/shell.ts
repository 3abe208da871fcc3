/** What a start script or a unit's command line would run: words, quotes, variables; no more of a shell than that. Pure. */

export type Env = Readonly<Record<string, string>>;

/** One simple command, its own assignments among its environment. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: Env;
}

/** It holds a variable or a substitution that nobody could fill in. */
export const isOpen = (word: string): boolean => /\$[\w{(@*]|`/.test(word);

/** The simple commands of a script, in order. `args`: its own, as `$1`. What is not known stays as it is written. */
export function commandsIn(script: string, env: Env, args: readonly string[] = []): readonly Command[] {
  const vars: Record<string, string> = { ...env };
  args.forEach((arg, i) => {
    vars[String(i + 1)] = arg;
  });
  vars['@'] = args.join(' ');
  const found: Command[] = [];
  for (const raw of simpleCommands(script)) {
    const words = withoutKeywords(raw);
    const local: Record<string, string> = {};
    let rest = words;
    if (rest[0] === 'export' || rest[0] === 'declare' || rest[0] === 'local') rest = rest.slice(1);
    for (; rest[0] !== undefined && /^-[a-z]+$/.test(rest[0]); rest = rest.slice(1));
    for (; rest[0] !== undefined && ASSIGNMENT.test(rest[0]); rest = rest.slice(1)) {
      const [, name = '', value = ''] = ASSIGNMENT.exec(rest[0]) ?? [];
      local[name] = wordsOf(value, vars).join(' ');
    }
    const argv = rest.flatMap((word) => wordsOf(word, vars));
    if (argv.length === 0) Object.assign(vars, local);
    else found.push({ argv: withoutExec(argv), env: { ...vars, ...local } });
  }
  return found;
}

const ASSIGNMENT = /^([A-Za-z_]\w*)=(.*)$/s;
const KEYWORDS: ReadonlySet<string> = new Set(['if', 'then', 'else', 'elif', 'do', 'while', 'until', '{', '!', 'time']);

function withoutKeywords(words: readonly string[]): readonly string[] {
  const first = words.findIndex((word) => !KEYWORDS.has(word));
  return first < 0 ? [] : words.slice(first);
}

/** `exec -a NAME CMD`, `command CMD`. */
function withoutExec(argv: readonly string[]): readonly string[] {
  if (argv[0] !== 'exec' && argv[0] !== 'command') return argv;
  return argv[1] === '-a' ? argv.slice(3) : argv.slice(1);
}

/** Words as written, quotes and all; redirections and comments are left out. */
function simpleCommands(script: string): readonly (readonly string[])[] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word = '';
  let redirected = false;
  const endWord = () => {
    if (word !== '' && !redirected) words.push(word);
    if (word !== '') redirected = false;
    word = '';
  };
  const endCommand = () => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
    redirected = false;
  };
  for (const [part = ''] of script.matchAll(PARTS)) {
    if (part === '\\\n') continue;
    if (part.startsWith('#') && word === '') continue;
    if (/^[ \t\r]+$/.test(part)) endWord();
    else if (/^[\n;&|()]+$/.test(part)) endCommand();
    else if (/^[&<>]/.test(part)) {
      if (/^\d+$/.test(word)) word = '';
      endWord();
      redirected = true;
    } else word += part;
  }
  endCommand();
  return commands;
}

/** A line's continuation, an escape, quotes, a substitution, a comment, a redirection, blanks, separators, anything else. */
const PARTS =
  /\\\n|\\[^\n]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\$\{[^}]*\}|\$\([^)]*\)|`[^`]*`|#[^\n]*|&?[<>]+&?|[ \t\r]+|[\n;&|()]+|[^\\'"$`#<>& \t\r\n;|()]+|[\s\S]/g;

/** Quotes resolved, variables filled in; what comes from an unquoted variable is split at blanks. */
function wordsOf(raw: string, vars: Env): readonly string[] {
  const words: string[] = [''];
  const add = (text: string) => {
    words[words.length - 1] += text;
  };
  let isQuoted = false;
  for (const [part = ''] of raw.matchAll(QUOTED)) {
    if (part.startsWith("'")) {
      isQuoted = true;
      add(part.slice(1, -1));
    } else if (part.startsWith('"')) {
      isQuoted = true;
      add(filled(part.slice(1, -1), vars).replace(/\\([\\"$`\n])/g, (_, char: string) => (char === '\n' ? '' : char)));
    } else if (part.startsWith('\\')) add(part.slice(1));
    else {
      const [first = '', ...more] = filled(part, vars).split(/\s+/);
      add(first);
      words.push(...more);
    }
  }
  return words.filter((word) => word !== '' || isQuoted);
}

const QUOTED = /\\[\s\S]|'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\$\{[^}]*\}|[^\\'"$]+|\$\w+|[\s\S]/g;

function filled(text: string, vars: Env): string {
  return text.replace(
    /\$\{(\w+|@)(?::?-([^}]*))?\}|\$(\w+|@)/g,
    (whole, braced: string | undefined, otherwise: string | undefined, bare: string | undefined) =>
      vars[braced ?? bare ?? ''] ?? (otherwise === undefined ? whole : filled(otherwise, vars)),
  );
}

/**
 * A unit's command line as systemd runs it: `${NAME}` anywhere, `$NAME` as a word of its own and split at blanks, `$$` for a
 * dollar. `isWhole`: all of its environment is known, so what is not in it is empty.
 */
export function unitWords(argv: readonly string[], env: Env, isWhole: boolean): readonly string[] {
  return argv.flatMap((word) => {
    const [, alone] = /^\$([A-Za-z_]\w*)$/.exec(word) ?? [];
    if (alone !== undefined) {
      const value = env[alone] ?? (isWhole ? '' : undefined);
      return value === undefined ? [word] : value.split(/\s+/).filter((part) => part !== '');
    }
    return [
      word.replace(/\$\$|\$\{([A-Za-z_]\w*)\}/g, (whole, name: string | undefined) =>
        name === undefined ? '$' : (env[name] ?? (isWhole ? '' : whole)),
      ),
    ];
  });
}

/** An `EnvironmentFile=`: `NAME=value` lines, quotes around values, `#` and `;` comments. */
export function environmentIn(text: string): Env {
  const env: Record<string, string> = {};
  for (const line of text.replace(/\\\n/g, '').split('\n')) {
    const [, name, value = ''] = /^\s*([A-Za-z_]\w*)=(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) env[name] = value.replace(/^(["'])(.*)\1$/s, '$2');
  }
  return env;
}

/** The unit's `Environment=`, as systemd lists it. */
export function environmentOf(list: readonly string[]): Env {
  return Object.fromEntries(
    list.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}
