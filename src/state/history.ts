/** Every switch that was begun, one JSON line each. It may be lost at any time. */
import type { HistoryEntry } from '../core/record.ts';
import type { PrivateFolder } from '../io/private-folder.ts';
import { parsed } from './json.ts';
import { isEnded, isRecord } from './understood.ts';

export interface History {
  /** Throws FileFailure when it can't be kept. */
  append(entry: HistoryEntry): Promise<void>;
  /** Oldest first; lines that can't be understood are left out. None when nothing is kept, or it can't be read. Never throws. */
  read(): Promise<readonly HistoryEntry[]>;
  /** The latest; reads no more of the file than that takes. Never throws. */
  last(): Promise<HistoryEntry | undefined>;
}

/** About a thousand switches; then the older half is dropped. */
const MOST_BYTES = 8 * 1024 * 1024;
/** With what one switch can add to it. */
const MAX_BYTES = 2 * MOST_BYTES;

const FILE = 'history.jsonl';
/** One entry is seldom longer than the first. */
const TAILS: readonly number[] = [64 * 1024, 1024 * 1024];

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
    async last() {
      for (const bytes of TAILS) {
        const text = await folder.tail(FILE, bytes).catch(() => '');
        for (const line of text.split('\n').reverse()) {
          const entry = entryIn(line);
          if (entry) return entry;
        }
      }
      return undefined;
    },
  };
}

/** Undefined of a line that was cut short by a crash or a full disk, too. */
function entryIn(line: string): HistoryEntry | undefined {
  const value = parsed(line);
  return isRecord(value) && isEnded(value) ? (value as HistoryEntry) : undefined;
}
