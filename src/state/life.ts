/** Which process that was: numbers are given away again, and after a boot all of them. */
import type { LockHolder } from '../core/holder.ts';
import type { Processes } from '../io/processes.ts';

/** This process, and the others as it sees them. */
export interface Self {
  readonly processes: Pick<Processes, 'stat' | 'bootId'>;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
  readonly pid: number;
}

/** This process from now on, for others to tell it by. */
export function ourselves({ processes, nowMs, pid }: Self, command: string): LockHolder {
  return { pid, life: lifeOf(processes, pid) ?? '', sinceMs: nowMs(), command };
}

export function isAlive({ processes }: Pick<Self, 'processes'>, { pid, life }: LockHolder): boolean {
  return lifeOf(processes, pid) === life;
}

/** Differs between any two processes of a machine; undefined = there is none of that number. */
function lifeOf(processes: Self['processes'], pid: number): string | undefined {
  const text = processes.stat(pid);
  // PID (COMM) STATE PPID ...; COMM may hold anything. The 22nd is when it began, in ticks since the boot.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, began] = [fields[0], fields[19]];
  return began === undefined || state === 'Z' || state === 'X' ? undefined : `${processes.bootId()}/${pid}/${began}`;
}
