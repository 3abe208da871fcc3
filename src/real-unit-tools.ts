/** Unit files of the real machine, and the programs that belong to them. */
import type { UnitTools } from './app/unit-tools.ts';
import { systemClock } from './io/clock.ts';
import { type Kill, openRun } from './io/run.ts';
import { openUnitFiles } from './io/unit-files.ts';
import { findProxyd } from './systemd/proxyd.ts';
import { unitFolder, type Whose } from './systemd/unit-folder.ts';

export interface Around extends Whose {
  readonly program: UnitTools['program'];
  readonly kill: Kill;
}

export function openUnitTools({ program, kill, ...whose }: Around): UnitTools {
  const run = openRun(whose.env, kill);
  return {
    files: openUnitFiles((scope) => unitFolder(scope, whose)),
    program,
    proxyd: (signal) => findProxyd(run, systemClock, signal),
  };
}
