/** `history` and `explain`: the switches on record, and one of them. Asks nothing of the machine. */
import { GpumodError } from '../core/errors.ts';
import { near } from '../core/near.ts';
import { asInterrupted, type HistoryEntry, type Underway } from '../core/record.ts';
import type { State } from '../state/state.ts';

/** One that is over has an `end`; without one it is at work now. */
export type Recorded = HistoryEntry | Underway;

export function isOver(recorded: Recorded): recorded is HistoryEntry {
  return 'end' in recorded;
}

/** Oldest first, with the one at work and the one whose process died. Never throws. */
export async function recordedSwitches({
  history,
  switchJournal,
}: Pick<State, 'history' | 'switchJournal'>): Promise<readonly Recorded[]> {
  // In this order: what ends between the two is in the history, and nowhere else.
  const underway = await switchJournal.read();
  const over = await history.read();
  if (!underway || over.some(({ id }) => id === underway.entry.id)) return over;
  return [...over, underway.isAtWork ? underway.entry : asInterrupted(underway.entry)];
}

/** `id`: its beginning will do; without it the last. Throws `no-such-record`. */
export function findRecorded(all: readonly Recorded[], id: string | undefined): Recorded {
  const known = all.map((each) => each.id);
  const found = id === undefined ? all.at(-1) : all.findLast((each) => each.id === id);
  if (found) return found;
  const wanted = id ?? '';
  const begins = wanted === '' ? [] : all.filter((each) => each.id.startsWith(wanted));
  const [only] = begins;
  if (only && begins.length === 1) return only;
  const meant = wanted === '' ? undefined : near(wanted, known);
  const candidates = begins.length > 0 ? begins.map((each) => each.id) : meant === undefined ? [] : [meant];
  throw new GpumodError('no-such-record', { id: wanted, records: known.length, candidates });
}
