/**
 * Values as a unit file holds them, so that systemd reads back what was meant: `%` is its specifiers, `$` its variables,
 * `\` and quotes its words (systemd.syntax(7), systemd.service(5) "Command lines"). Pure.
 */

/** What a unit file can't hold: `what` of it, e.g. the setting's name. */
export class Unwritable extends Error {
  readonly what: string;
  constructor(what: string) {
    super(`${what} can't be written into a unit file`);
    this.what = what;
  }
}

/** A word that no parser looks into. */
const PLAIN = /^[\p{L}\p{N}_/.,:=@+-]+$/u;

/** Line breaks end a setting; other control characters and half pairs of UTF-16 are dropped or refused by systemd. */
const UNHELD = /[\p{Cc}\p{Cs}]/u;

/** One argument of `ExecStart=`, after the program. */
export const argument = (text: string): string => word(text, 'an argument').replaceAll('$', '$$$$');

/** One assignment of `Environment=`, where `$` is itself. */
export const assignment = (name: string, value: string): string => word(`${name}=${value}`, name);

function word(text: string, what: string): string {
  if (UNHELD.test(text)) throw new Unwritable(what);
  if (PLAIN.test(text)) return text;
  return `"${text.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%')}"`;
}

/**
 * The program of a command line: an absolute path, or a name that systemd looks up. What stands before it may have a
 * meaning (`-`, `@`, `+`, `!`, `:`); quotes and backslashes in it are refused by systemd, and `$` it takes for itself in one
 * place and for a variable in another.
 */
export function program(path: string): string {
  if (!/^(\/|[A-Za-z0-9_][^/]*$)/.test(path) || /["'\\$]/.test(path)) throw new Unwritable(path);
  return word(path, path);
}

/** A path that is the whole of its setting (`WorkingDirectory=`, `EnvironmentFile=`): not unquoted, but matched as a pattern. */
export function wholePath(path: string): string {
  if (!path.startsWith('/') || UNHELD.test(path) || /["'\\*?[\]]|\s$/.test(path)) throw new Unwritable(path);
  return path.replaceAll('%', '%%');
}

/** A text that is the whole of its setting: `Description=`. */
export function wholeText(text: string): string {
  if (UNHELD.test(text) || text.endsWith('\\')) throw new Unwritable(text);
  return text.replaceAll('%', '%%');
}
