/** What an engine of the simulation was told and complained of, one JSON line each in a file that all of them share. */
import { appendFileSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface TraceLine {
  /** Of the engine that wrote it. */
  readonly by: string;
  /** A call that may change something: `POST /sleep`, with the process that sent it (0 = gone already). */
  readonly call?: string;
  readonly pid?: number;
  /** Its memory was not what it needs: nobody who plans well lets that happen. */
  readonly complaint?: string;
}

const CALL = /127\.0\.0\.1:(\d+) - "([^"]*)"/;
const COMPLAINT = /Free memory on device|out of memory|memory profiling|CUDA Error|increased after sleeping/;

/** Writes down what a line of the engine's log tells; lines are appended whole, in the order of the calls. */
export function traceTo(path: string, by: string): (line: string) => void {
  return (line) => {
    const [, port, call] = CALL.exec(line) ?? [];
    const told: TraceLine | undefined = call
      ? { by, call, pid: senderOf(Number(port)) }
      : COMPLAINT.test(line)
        ? { by, complaint: line }
        : undefined;
    if (told) appendFileSync(path, `${JSON.stringify(told)}\n`);
  };
}

/** The process of this user that holds the other end of a connection over the loopback interface. */
function senderOf(port: number): number {
  const end = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  const inode = rows.map((row) => row.trim().split(/\s+/)).find(([, local]) => local === end)?.[9];
  const socket = `socket:[${inode}]`;
  const holds = (pid: string) => tried(() => readdirSync(`/proc/${pid}/fd`)).some((fd) => links(pid, fd) === socket);
  const links = (pid: string, fd: string) => tried(() => [readlinkSync(`/proc/${pid}/fd/${fd}`)])[0];
  return Number(readdirSync('/proc').find((name) => /^\d+$/.test(name) && holds(name)) ?? 0);
}

/** Nothing of a process that is gone, or another user's. */
function tried(look: () => readonly string[]): readonly string[] {
  try {
    return look();
  } catch {
    return [];
  }
}
