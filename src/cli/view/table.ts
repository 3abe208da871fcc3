/** A table for people: only this file knows cli-table3. */
import Table from 'cli-table3';
import type { Rows } from './rows.ts';
import { type Paint, type Style, visible } from './style.ts';

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
} as const;

export interface Layout {
  readonly style: Style;
  /** Colours one cell by its column's heading and text. */
  readonly paint?: (column: string, cell: string) => Paint | undefined;
  /** The last column wraps so that the table is at most this wide. */
  readonly columns: number;
}

/** Columns without any text are left out. Ends with a newline. */
export function renderTable({ head, rows }: Rows, { style, paint, columns }: Layout): string {
  const kept = head.flatMap((_, i) => (rows.some((row) => row[i]) ? [i] : []));
  const cells = rows.map((row) => kept.map((i) => visible(row[i] ?? '')));
  const heads = kept.map((i) => head[i] ?? '');
  const widths = heads.map((title, j) => Math.max(title.length, ...cells.map((row) => row[j]?.length ?? 0)));
  const last = kept.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 0);
  const room = Math.max(16, columns - before);
  const table = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    head: heads.map(style.dim),
    colWidths: widths.map((width, j) => (j === last ? Math.min(width, room) : width)),
    wordWrap: true,
  });
  for (const row of cells) table.push(row.map((cell, j) => paint?.(heads[j] ?? '', cell)?.(cell) ?? cell));
  return `${table.toString().replace(/[ ]+$/gm, '')}\n`;
}
