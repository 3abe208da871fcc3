/** Unit files of the real machine, and the programs that belong to them. */
import type { Crontab, UnitTools } from './app/unit-tools.ts';
import { systemClock } from './io/clock.ts';
import { type Kill, openRun, type Run } from './io/run.ts';
import { openUnitFiles } from './io/unit-files.ts';
import { findProxyd } from './systemd/proxyd.ts';
import { unitFolder, type Whose } from './systemd/unit-folder.ts';

export interface Around extends Whose {
  readonly program: UnitTools['program'];
  readonly kill: Kill;
  readonly monotonicMs: UnitTools['monotonicMs'];
}

export function openUnitTools({ program, kill, monotonicMs, ...whose }: Around): UnitTools {
  const run = openRun(whose.env, kill);
  return {
    files: openUnitFiles((scope) => unitFolder(scope, whose)),
    program,
    crontab: (signal) => crontabOf(run, systemClock.deadline(CRONTAB_MS, signal)),
    monotonicMs,
    proxyd: (signal) => findProxyd(run, systemClock, signal),
  };
}

const CRONTAB_MS = 2_000;

/** By `crontab`, which alone may read it. */
async function crontabOf(run: Run, signal: AbortSignal): Promise<Crontab> {
  try {
    const { code, stdout, stderr } = await run.run(['crontab', '-l'], { signal });
    if (code === 0) return { kind: 'lines', lines: stdout.split('\n') };
    return /no crontab/i.test(stderr)
      ? { kind: 'none' }
      : { kind: 'unread', reason: stderr.trim().split('\n')[0] ?? '' };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { kind: 'none' } : { kind: 'unread', reason: message };
  }
}
