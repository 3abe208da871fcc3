/** A table for people: only this file knows cli-table3. */
import Table from 'cli-table3';
import { visible } from '../../core/visible.ts';
import type { Rows } from './rows.ts';
import type { Paint, Style } from './style.ts';

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
  /** What the table is to fit into; undefined: one line a row, however long. */
  readonly columns: number | undefined;
  /** One line a row: what is too long is cut, not wrapped. */
  readonly isCut?: boolean;
}

const GAP = 2;
/** The last column wraps or is cut, and optional ones are left out before it is narrower than this. */
const NARROWEST = 20;
const NARROWEST_CUT = 28;

/** Columns without any text are left out, and on a narrow terminal the optional ones. Ends with a newline. */
export function renderTable(
  { head, rows: raw, optional = [] }: Rows,
  { style, paint, columns = Infinity, isCut = false }: Layout,
): string {
  const rows = raw.map((row) => row.map((cell) => visible(cell).replace(/\s*\n\s*/g, ' ')));
  const kept = columnsThatFit({ head, rows, optional }, columns, isCut);
  const cells = rows.map((row) => kept.map(({ index }) => row[index] ?? ''));
  const last = kept.length - 1;
  const room = Math.max(
    isCut ? 1 : NARROWEST,
    columns - kept.slice(0, last).reduce((sum, { width }) => sum + width + GAP, 0),
  );
  const table = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    head: kept.map(({ title }) => style.dim(title)),
    // Unset: as wide as it takes, also for text that is wider than it is long.
    colWidths: kept.map(({ width }, j) => (j < last ? width : room === Infinity ? null : Math.min(width, room))),
    wordWrap: !isCut,
  });
  for (const row of cells) table.push(row.map((cell, j) => paint?.(kept[j]?.title ?? '', cell)?.(cell) ?? cell));
  return `${table.toString().replace(/[ ]+$/gm, '')}\n`;
}

interface Column {
  readonly index: number;
  readonly title: string;
  /** Of its widest cell. */
  readonly width: number;
}

function columnsThatFit({ head, rows, optional }: Required<Rows>, columns: number, isCut: boolean): readonly Column[] {
  const all = head.map((title, index) => ({
    index,
    title,
    width: Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  }));
  let kept = all.filter(({ index }) => rows.some((row) => row[index]));
  for (const [i, titles] of optional.entries()) {
    // The least of all goes as soon as something would be cut.
    const least = isCut ? (i === 0 ? Infinity : NARROWEST_CUT) : NARROWEST;
    const wide = kept.reduce(
      (sum, { width }, j) => sum + (j === kept.length - 1 ? Math.min(width, least) : width + GAP),
      0,
    );
    if (wide <= columns) break;
    kept = kept.filter(({ title }) => (typeof titles === 'string' ? titles !== title : !titles.includes(title)));
  }
  return kept;
}
