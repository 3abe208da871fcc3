/** How a command that ran in a mode (`gpumod run`) ended. */
export interface ProgramEnd {
  /** As a shell tells it: 128 + n when signal n ended it, 127 when there is none of that name, 126 when it can't be run. */
  readonly code: number;
  /** The signal that ended it: `SIGKILL`. */
  readonly signal?: string;
  /** It never ran: the system's code (`ENOENT`, `EACCES`). */
  readonly notRun?: string;
}
