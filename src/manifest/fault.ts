/** What is wrong with a manifest while it is being read: a path into one file, and words that may quote it safely. */
import { near } from '../core/near.ts';

/** Keys and list positions from the top of the document. */
export type Path = readonly (string | number)[];

/** One fault, before its line and column are looked up. */
export interface Fault {
  readonly path: Path;
  /** Points at the value (default) or at its key. */
  readonly at?: 'key' | 'value';
  readonly message: string;
  readonly suggestion?: string;
}

/** A value that was understood, or why not. */
export type Checked<T> = { readonly ok: T } | { readonly wrong: string; readonly suggestion?: string };

export const wrong = (message: string, suggestion?: string): { wrong: string; suggestion?: string } =>
  suggestion === undefined ? { wrong: message } : { wrong: message, suggestion };

/** `services.chat.sleep.steps[0].post`. */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += (text && '.') + (/^[\w@:.-]+$/.test(part) ? part : shown(part));
  }
  return text;
}

const LONGEST = 40;

/** A value as a message may quote it. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  if (typeof value !== 'string') return value === null || value === undefined ? 'nothing' : String(value);
  const short = value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value;
  return `"${visible(short)}"`;
}

/** No byte of it reaches a terminal as a command, and it stays on one line. */
export const visible = (text: string): string =>
  text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);

/** `near`, for values of any kind. */
export function nearest(name: unknown, known: readonly string[]): string | undefined {
  return typeof name === 'string' && name.length > 0 && name.length <= 64 ? near(name, known) : undefined;
}
