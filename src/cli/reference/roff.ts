/** A page as a manual page: man(7) macros that groff and mandoc both know. Pure. */
import { type Block, wrapped } from './page.ts';

export interface Heading {
  /** `gpumod.yaml`. */
  readonly name: string;
  readonly section: number;
  /** One line: what it is. */
  readonly about: string;
  readonly version: string;
  /** ISO, of the day it was made. */
  readonly date: string;
}

export function roffPage({ name, section, about, version, date }: Heading, blocks: readonly Block[]): string {
  const title = `.TH ${argument(name.toUpperCase())} ${section} "${date}" ${argument(`gpumod ${version}`)}`;
  const head = [title, '.SH NAME', `${escaped(name)} \\- ${escaped(about)}`];
  return `${[...head, ...blocks.flatMap((one, i) => block(one, blocks[i - 1]?.kind === 'heading'))].join('\n')}\n`;
}

const WIDTH = 76;

/** `first` below a heading: no macro for the space before it. */
function block(one: Block, first: boolean): readonly string[] {
  const space = first ? [] : ['.PP'];
  switch (one.kind) {
    case 'heading':
      return [one.text.startsWith('gpumod ') ? `.SS ${argument(one.text)}` : `.SH ${argument(one.text.toUpperCase())}`];
    case 'paragraph':
      return [...space, ...flowing(one.text)];
    case 'code':
      return [...space, '.RS 4', '.EX', ...one.lines.map((line) => asLine(line)), '.EE', '.RE'];
    case 'items':
      return one.items.flatMap(([term, text]) => ['.TP', asLine(term, true), ...flowing(text)]);
  }
}

function flowing(text: string): readonly string[] {
  return marked(text).map((line) => guarded(line));
}

/** Bold begins and ends in the same line. */
function marked(text: string): readonly string[] {
  let isBold = false;
  return wrapped(text, WIDTH).map((line) => {
    const begins = isBold ? '\\fB' : '';
    const inside = line.split('`').map((part, i) => {
      if (i > 0) isBold = !isBold;
      return i === 0 ? escaped(part) : `${isBold ? '\\fB' : '\\fR'}${escaped(part)}`;
    });
    return `${begins}${inside.join('')}${isBold ? '\\fR' : ''}`;
  });
}

function asLine(line: string, bold?: true): string {
  const text = escaped(line.replaceAll('`', ''));
  return bold ? `\\fB${text}\\fR` : guarded(text);
}

/** A dot or an apostrophe that begins a line would be a request. */
const guarded = (line: string): string => (/^[.']/.test(line) ? `\\&${line}` : line);

const GLYPHS: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
};

/** What is typed must be copied from the page as it is. */
function escaped(text: string): string {
  return text.replace(
    /[\\\-'`^~]|[^\x20-\x7e]/g,
    (char) => GLYPHS[char] ?? `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  );
}

const argument = (text: string): string => `"${escaped(text).replaceAll('"', '\\(dq')}"`;
