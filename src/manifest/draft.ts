/** A manifest as text that people like to read: keys in the usual order, a comment beside what needs one. Pure. */
import { visible } from './fault.ts';

export type DraftValue = string | number | boolean | readonly DraftValue[] | { readonly [key: string]: DraftValue };

export interface DraftLine {
  readonly key: string;
  readonly value: DraftValue;
  /** Said behind it. */
  readonly note?: string;
  /** Written as a comment: a proposal. */
  readonly isOff?: true;
}

export interface DraftEntry {
  readonly name: string;
  /** Comments above its keys. */
  readonly about: readonly string[];
  readonly lines: readonly DraftLine[];
}

export interface Draft {
  /** For editors: where the JSON Schema is. */
  readonly schema: string;
  readonly head: readonly string[];
  readonly defaults: readonly DraftLine[];
  readonly services: readonly DraftEntry[];
  readonly modes: readonly DraftEntry[];
  /** Comments at the end. */
  readonly tail: readonly string[];
}

export function draftText({ schema, head, defaults, services, modes, tail }: Draft): string {
  return [
    `# yaml-language-server: $schema=${onOneLine(schema).replaceAll(' ', '%20')}`,
    ...(head.length > 0 ? ['#', ...head.map(comment)] : []),
    'version: 1',
    ...section(
      'defaults',
      defaults.flatMap((line) => written(line, 2)),
    ),
    ...section('services', entries(services)),
    ...section('modes', entries(modes), '`off` (everything stopped) is always there, and not written'),
    ...(tail.length > 0 ? ['', ...tail.map(comment)] : []),
    '',
  ].join('\n');
}

function section(name: string, lines: readonly string[], note?: string): readonly string[] {
  const head = note === undefined ? `${name}:` : `${name}: # ${note}`;
  return lines.length > 0 ? ['', head, ...lines] : [];
}

function entries(all: readonly DraftEntry[]): readonly string[] {
  return all.flatMap(({ name, about, lines }, i) => [
    ...(i > 0 ? [''] : []),
    `  ${scalar(name)}:`,
    ...about.map((line) => `    ${comment(line)}`),
    ...lines.flatMap((line) => written(line, 4)),
  ]);
}

/** A line that would be too long has its comment above it. */
const WIDEST = 120;

function written({ key, value, note, isOff }: DraftLine, indent: number): readonly string[] {
  const space = ' '.repeat(indent);
  const text = `${space}${isOff ? '# ' : ''}${scalar(key)}: ${flow(value)}`;
  if (note === undefined) return [text];
  const beside = `${text} # ${onOneLine(note)}`;
  return beside.length <= WIDEST ? [beside] : [`${space}${comment(note)}`, text];
}

const comment = (text: string): string => (text === '' ? '#' : `# ${onOneLine(text)}`);

/** What comes from outside must not end the comment it stands in. */
const onOneLine = (text: string): string => visible(text.replace(/\s+/g, ' ').trim());

function flow(value: DraftValue): string {
  if (typeof value === 'string') return scalar(value);
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return `[${value.map(flow).join(', ')}]`;
  const pairs = Object.entries(value).map(([key, each]) => `${scalar(key)}: ${flow(each)}`);
  return `{ ${pairs.join(', ')} }`;
}

const isList = (value: object): value is readonly DraftValue[] => Array.isArray(value);

/** Texts that YAML, also an older one, would not take for text. */
const NOT_TEXT = /^(~|null|true|false|yes|no|on|off|y|n|[-+.]?(inf|nan)|[-+.]?[\d.][\d_.,:eExXa-fA-FoO+-]*)$/i;
const PLAIN = /^[A-Za-z0-9_/.](?:[\w/.@+=~-]|:(?=[\w/])| (?=\S))*$/;

/** `${` begins a variable in a manifest, so a plain one is doubled. */
function scalar(text: string): string {
  const escaped = text.replaceAll('${', () => '$${');
  if (PLAIN.test(escaped) && !NOT_TEXT.test(escaped) && !escaped.includes(' #')) return escaped;
  return JSON.stringify(escaped).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) =>
    Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
}
