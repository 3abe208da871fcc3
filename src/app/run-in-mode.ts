/** `run`: a mode for as long as a command runs, and then what was there before. */
import type { Manifest } from '../core/model.ts';
import type { ProgramEnd } from '../core/program.ts';
import type { Notify, SwitchResult } from '../core/report.ts';
import type { Host } from '../execute/host.ts';
import { modeTarget } from './plan-mode.ts';
import { type SwitchOptions, switchTo } from './switch-mode.ts';

export interface RunOptions extends SwitchOptions {
  /** The command's name, without its arguments: they may hold secrets. */
  readonly program: string;
}

export interface RunInMode {
  readonly result: SwitchResult;
  /** Absent: the mode was not reached, and the command never ran. */
  readonly ended?: ProgramEnd;
}

/** Throws when nothing was touched, as `switchMode` does. `run` must not throw. */
export async function runInMode(
  manifest: Manifest,
  mode: string,
  options: RunOptions,
  host: Host,
  notify: Notify,
  run: () => Promise<ProgramEnd>,
): Promise<RunInMode> {
  let ended: ProgramEnd | undefined;
  const result = await switchTo(manifest, modeTarget(manifest, mode), options, host, notify, async () => {
    notify({ type: 'running', mode, program: options.program });
    ended = await run();
  });
  return { result, ...(ended ? { ended } : {}) };
}
