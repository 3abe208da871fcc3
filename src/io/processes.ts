/**
 * Processes and listening sockets, as /proc and the cgroup file system tell them. Read synchronously: these files are made
 * in memory when they are read, and the thread pool would cost ten times as much. Whatever can't be read is not there.
 */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { onAbort } from '../core/on-abort.ts';

export type SocketTable = 'tcp' | 'tcp6' | 'unix';

export interface Processes {
  /**
   * `/proc/net/TABLE` of our own network namespace; of the TCP tables only as far as they list listening sockets. `until`:
   * no further than this text: the kernel walks through its whole table of connections to find that nothing follows.
   */
  sockets(table: SocketTable, until?: string): string;
  hostname(): string;
  /** Addresses of this machine's interfaces, IPv4 and IPv6. */
  addresses(): readonly string[];
  /** Where a path leads, links followed, and whose that is. */
  file(path: string): { readonly path: string; readonly uid: number } | undefined;
  /** All processes that we see. */
  all(): readonly number[];
  /** The processes in a cgroup and in those below it, e.g. `/user.slice/.../chat.service`; undefined = not to be found. */
  members(cgroup: string): readonly number[] | undefined;
  /** Inodes of the sockets it has open; none when it is not ours to look at. */
  socketsOf(pid: number): Iterable<string>;
  /** `/proc/PID/cgroup` and `/proc/PID/stat`, empty when it is gone. Anyone may read them. */
  cgroup(pid: number): string;
  stat(pid: number): string;
  /** The kernel's name of it, at most 15 characters. Anyone may read it, and it never blocks. */
  comm(pid: number): string;
  /** Differs from boot to boot; empty where the system does not tell. */
  bootId(): string;
  /** Parts of its own memory: reading them waits as long as it holds that memory locked. Undefined = not told by then. */
  memoryOf(pid: number, part: 'cmdline' | 'environ', signal: AbortSignal): Promise<string | undefined>;
}

/** Unified hierarchy; then what a hybrid and a legacy one keep for systemd. */
const CGROUP_ROOTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd'] as const;

export const systemProcesses: Processes = {
  sockets: (table, until) =>
    (table === 'unix' ? textOf('/proc/net/unix') : listeningPart(`/proc/net/${table}`, until)) ?? '',
  hostname,
  addresses: () => Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address)),
  file: (path) =>
    told(() => {
      const real = realpathSync(path);
      return { path: real, uid: statSync(real).uid };
    }),
  all: () => namesIn('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : [])),
  members(cgroup) {
    for (const root of CGROUP_ROOTS) {
      const found = below(root + cgroup);
      if (found) return found;
    }
    return undefined;
  },
  *socketsOf(pid) {
    const folder = `/proc/${pid}/fd`;
    for (const fd of namesIn(folder)) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(told(() => readlinkSync(`${folder}/${fd}`)) ?? '') ?? [];
      if (inode !== undefined) yield inode;
    }
  },
  cgroup: (pid) => textOf(`/proc/${pid}/cgroup`) ?? '',
  stat: (pid) => textOf(`/proc/${pid}/stat`) ?? '',
  comm: (pid) => textOf(`/proc/${pid}/comm`)?.trim() ?? '',
  bootId: () => textOf('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
  memoryOf: (pid, part, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve(undefined);
      const forget = onAbort(signal, () => resolve(undefined));
      readFile(`/proc/${pid}/${part}`, 'utf8')
        .catch(() => undefined)
        .then((text) => {
          forget();
          resolve(text);
        });
    }),
};

function below(folder: string): readonly number[] | undefined {
  const text = textOf(`${folder}/cgroup.procs`);
  if (text === undefined) return undefined;
  const deeper = told(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return [
    ...text.split('\n').flatMap((line) => (Number(line) > 0 ? [Number(line)] : [])), // 0: of another pid namespace
    ...deeper.flatMap((entry) => (entry.isDirectory() ? (below(`${folder}/${entry.name}`) ?? []) : [])),
  ];
}

const buffer = Buffer.allocUnsafe(64 * 1024);
/** Each line of the IPv4 table is as long. */
const LINE_BYTES = 150;
/** A line whose state is not 0A (LISTEN). */
const CONNECTED = /^ *\d+: \S+ \S+ (?!0A )\S+ /m;

/** Linux lists the listening sockets first; behind them a busy machine has tens of thousands of lines. */
function listeningPart(path: string, until: string | undefined): string | undefined {
  return told(() => {
    const file = openSync(path, 'r');
    try {
      let text = '';
      for (;;) {
        const length = readSync(file, buffer, 0, until === undefined ? buffer.length : LINE_BYTES, null);
        text += buffer.toString('latin1', 0, length);
        if (length === 0 || (until !== undefined && text.includes(until)) || CONNECTED.test(text)) return text;
      }
    } finally {
      closeSync(file);
    }
  });
}

const textOf = (path: string): string | undefined => told(() => readFileSync(path, 'utf8'));
const namesIn = (folder: string): readonly string[] => told(() => readdirSync(folder)) ?? [];

/** Processes come and go, and some are not ours: that is no failure. */
function told<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
