/** A time axis for a terminal: from the beginning of a switch to its end, a bar for each step, a line for each card. */
import { isOver, type Recorded } from '../../app/history.ts';
import type { RecordedStep } from '../../core/record.ts';

export interface Grid {
  /** Of each column of text, in characters. */
  readonly widths: readonly number[];
  /** Of the axis, in characters; 0 = none is drawn: no terminal, or a narrow one. */
  readonly bar: number;
  /** What the axis stands for. */
  readonly seconds: number;
}

const NARROWEST = 10;
const WIDEST = 48;
const GAP = 2;

/** `columns` of the terminal; undefined = it is none. */
export function gridFor(recorded: Recorded, rows: readonly (readonly string[])[], columns: number | undefined): Grid {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const text = widths.reduce((sum, width) => sum + width + GAP, 0);
  const ends = recorded.steps.flatMap(({ endSeconds, startSeconds }) => endSeconds ?? startSeconds ?? []);
  const seconds = Math.max(0, ...ends, isOver(recorded) ? (recorded.durationSeconds ?? 0) : 0);
  const room = columns === undefined || seconds === 0 ? 0 : columns - text - GAP;
  return { widths, bar: room < NARROWEST ? 0 : Math.min(WIDEST, room), seconds };
}

/** At least one cell for a step that was at work; one without an end reaches to the end of the axis. */
export function barOf({ startSeconds, endSeconds, outcome }: RecordedStep, { bar, seconds }: Grid): string {
  if (bar === 0 || startSeconds === undefined || outcome === 'skipped' || outcome === 'planned') return '';
  const at = (moment: number) => Math.max(0, Math.min(bar, (moment / seconds) * bar));
  const from = Math.min(bar - 1, Math.floor(at(startSeconds)));
  const to = Math.max(from + 1, Math.ceil(at(endSeconds ?? seconds)));
  return `${' '.repeat(from)}${'█'.repeat(to - from)}`;
}

const LEVELS = [...'▁▂▃▄▅▆▇█'];

/** What a card held at the end of each cell, from empty to full; without its size, to the most that it held. */
export function sparkOf(
  points: readonly { readonly atSeconds: number; readonly bytes: number }[],
  totalBytes: number | undefined,
  { bar, seconds }: Grid,
): string {
  const full = totalBytes || Math.max(1, ...points.map(({ bytes }) => bytes));
  let i = 0;
  return Array.from({ length: bar }, (_, cell) => {
    const until = ((cell + 1) / bar) * seconds + 1e-9;
    while ((points[i + 1]?.atSeconds ?? Infinity) <= until) i += 1;
    const share = Math.max(0, Math.min(1, (points[i]?.bytes ?? 0) / full));
    return LEVELS[Math.min(LEVELS.length - 1, Math.floor(share * LEVELS.length))];
  }).join('');
}
