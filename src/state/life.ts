/** Which process that was: numbers are given away again, and after a boot all of them. */
import type { Processes } from '../io/processes.ts';

/** Differs between any two processes of a machine; undefined = there is none of that number. */
export function lifeOf(processes: Pick<Processes, 'stat' | 'bootId'>, pid: number): string | undefined {
  const text = processes.stat(pid);
  // PID (COMM) STATE PPID ...; COMM may hold anything. The 22nd is when it began, in ticks since the boot.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, began] = [fields[0], fields[19]];
  return began === undefined || state === 'Z' || state === 'X' ? undefined : `${processes.bootId()}/${pid}/${began}`;
}
