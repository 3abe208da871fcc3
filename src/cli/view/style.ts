/** Colour, when it is wanted; text from outside made safe to show. */
import { visible } from '../../core/visible.ts';
import type { Sink } from '../parts.ts';

export type Paint = (text: string) => string;

export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

export type ColorWish = 'auto' | 'always' | 'never';

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** `--color` first, then NO_COLOR, FORCE_COLOR / CLICOLOR_FORCE, TERM=dumb, then whether the sink is a terminal. */
export function wantsColor(wish: ColorWish, env: Readonly<Record<string, string | undefined>>, sink: Sink): boolean {
  if (wish !== 'auto') return wish === 'always';
  if (env['NO_COLOR']) return false;
  const force = env['FORCE_COLOR'] ?? env['CLICOLOR_FORCE'];
  if (force !== undefined && force !== '' && force !== '0') return true;
  return sink.isTerminal && env['TERM'] !== 'dumb';
}

export function styleFor(color: boolean): Style {
  const paint = (name: keyof typeof CODES): Paint => {
    const [open, close] = CODES[name];
    return color ? (text) => `\u001b[${open}m${text}\u001b[${close}m` : (text) => text;
  };
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}

const OWN_CODES = new RegExp(`(\u001b\\[(?:${Object.values(CODES).flat().join('|')})m)`);

/** Text and colours of ours by turns: each second one is a colour. */
export function colourOrText(text: string): readonly string[] {
  return text.split(OWN_CODES);
}

/** A text with colours of ours, and nothing else in it that a terminal would obey. */
export function shown(text: string): string {
  return colourOrText(text)
    .map((part, index) => (index % 2 === 1 ? part : visible(part)))
    .join('');
}
