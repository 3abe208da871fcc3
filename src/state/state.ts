/** Everything that outlives a command, as one part of the machine. None of it is needed to be correct. */
import type { FileLocks } from '../io/file-lock.ts';
import type { Files } from '../io/files.ts';
import type { Processes } from '../io/processes.ts';
import { type Figures, openFigures } from './figures.ts';
import { type History, openHistory } from './history.ts';
import { type LastMode, openLastMode } from './last-mode.ts';
import { openLock, type SwitchLock } from './lock.ts';
import { openRecords, type Records } from './records.ts';
import { openSwitchJournal, type SwitchJournal } from './switch-journal.ts';

export interface State {
  readonly lock: SwitchLock;
  readonly switchJournal: SwitchJournal;
  readonly history: History;
  readonly lastMode: LastMode;
  readonly records: Records;
  readonly figures: Figures;
}

export interface StateParts {
  readonly files: Files;
  readonly locks: FileLocks;
  readonly processes: Pick<Processes, 'stat' | 'bootId'>;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
  readonly pid: number;
  readonly uid: number;
  /** Kept from boot to boot: `~/.local/state/gpumod`. */
  readonly stateFolder: string;
  /** Gone with the last login, and with a boot; see `runtimeFolder`. */
  readonly runtimeFolder: string;
}

export function openState({ stateFolder: dir, runtimeFolder: folder, ...parts }: StateParts): State {
  const { files } = parts;
  return {
    lock: openLock({ ...parts, folder }),
    switchJournal: openSwitchJournal({ ...parts, dir }),
    history: openHistory(files, dir),
    lastMode: openLastMode(files, dir),
    records: openRecords(files, dir),
    figures: openFigures(files, dir),
  };
}
