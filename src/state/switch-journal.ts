/** What a switch is about to do, on the disk before it does it: so that the next command can tell what a dead one left. */
import { isHolder, type LockHolder } from '../core/holder.ts';
import type { Underway } from '../core/record.ts';
import type { PrivateFolder } from '../io/private-folder.ts';
import { entryOf, parsed } from './json.ts';
import { isAlive, ourselves, type Self } from './life.ts';
import { isRecord } from './understood.ts';

export interface SwitchJournal {
  /** The whole entry, at once or not at all, and on the disk when it resolves. Throws FileFailure. */
  write(entry: Omit<Underway, 'by'>): Promise<void>;
  /** What is at work, or was when its process died; undefined when nothing is, or it can't be read. Never throws. */
  read(): Promise<Journalled | undefined>;
  /** It is over. Never throws. */
  clear(): Promise<void>;
}

export interface Journalled {
  readonly entry: Underway;
  /** Its process lives. */
  readonly isAtWork: boolean;
}

export interface JournalParts extends Self {
  readonly folder: PrivateFolder;
}

const MAX_BYTES = 1024 * 1024;

const FILE = 'switch.json';

/** One JSON document. */
export function openSwitchJournal({ folder, ...self }: JournalParts): SwitchJournal {
  let by: LockHolder | undefined;
  return {
    write(entry) {
      by ??= ourselves(self, entry.command);
      return folder.write(FILE, `${JSON.stringify({ ...entry, by } satisfies Underway)}\n`);
    },
    async read() {
      const entry = underwayIn(await folder.read(FILE, MAX_BYTES).catch(() => ''));
      return entry && { entry, isAtWork: isAlive(self, entry.by) };
    },
    clear: () => folder.remove(FILE).catch(() => {}),
  };
}

/** What is not understood is as good as not there. */
function underwayIn(text: string): Underway | undefined {
  const value = parsed(text);
  return isRecord(value) && isHolder(entryOf(value)['by']) ? (value as Underway) : undefined;
}
