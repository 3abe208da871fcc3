/** Every switch that was begun, one JSON line each. It may be lost at any time. */
import type { HistoryEntry } from '../core/record.ts';
import type { PrivateFolder } from '../io/private-folder.ts';
import { isRecord } from './switch-journal.ts';

export interface History {
  /** Throws FileFailure when it can't be kept. */
  append(entry: HistoryEntry): Promise<void>;
  /** Oldest first; lines that can't be understood are left out. None when nothing is kept, or it can't be read. Never throws. */
  read(): Promise<readonly HistoryEntry[]>;
}

/** About a thousand switches; then the older half is dropped. */
const MOST_BYTES = 8 * 1024 * 1024;
/** With what one switch can add to it. */
const MAX_BYTES = 2 * MOST_BYTES;

const FILE = 'history.jsonl';

export function openHistory(folder: PrivateFolder): History {
  return {
    async append(entry) {
      const bytes = await folder.append(FILE, JSON.stringify(entry));
      if (bytes <= MOST_BYTES) return;
      const lines = (await folder.read(FILE, MAX_BYTES)).split('\n');
      await folder.write(FILE, lines.slice(Math.floor(lines.length / 2)).join('\n'));
    },
    async read() {
      const text = await folder.read(FILE, MAX_BYTES).catch(() => '');
      return text.split('\n').flatMap((line) => entryIn(line) ?? []);
    },
  };
}

function entryIn(line: string): HistoryEntry | undefined {
  if (line === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) && typeof (value as { end?: unknown }).end === 'string'
      ? (value as HistoryEntry)
      : undefined;
  } catch {
    return undefined; // cut short by a crash or a full disk
  }
}
