/** Text and the cells that it takes on a terminal: colours take none, some scripts two each. */
import { colourOrText } from './style.ts';

const NOTHING = /^(?:\p{M}|[\u200b-\u200d])$/u;
const TWICE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

const cellsOf = (char: string): number => (NOTHING.test(char) ? 0 : TWICE.test(char) ? 2 : 1);

/** In cells. */
export function widthOf(text: string): number {
  return colourOrText(text).reduce(
    (sum, part, i) => sum + (i % 2 === 1 ? 0 : [...part].reduce((cells, char) => cells + cellsOf(char), 0)),
    0,
  );
}

/** At most so many cells, with `…` at the end of what did not fit; colours end where they would have. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let left = Math.max(0, columns - 1);
  let isOver = false;
  const shortened = (part: string): string => {
    let said = '';
    for (const char of part) {
      if (isOver) break;
      left -= cellsOf(char);
      isOver = left < 0;
      said += isOver ? '…' : char;
    }
    return said;
  };
  const parts = colourOrText(text).map((part, i) => (i % 2 === 1 ? part : shortened(part)));
  return columns > 0 ? parts.join('') : '';
}

/** Pieces side by side, on as many lines as they take. */
export function wrapped(pieces: readonly string[], columns: number, gap: string): readonly string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + gap.length + widthOf(piece) <= columns)
      lines[lines.length - 1] = `${last}${gap}${piece}`;
    else lines.push(piece);
  }
  return lines;
}
