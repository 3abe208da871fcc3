/** Text files and folders, small and read whole: the only file of the manifest and the state that touches the disk. */
import { constants, type Stats } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';

/** `other`: a pipe, a device, a socket. */
type PathKind = 'file' | 'folder' | 'other';

export type FileFailureKind =
  | 'missing' // nothing there, or a link that leads nowhere
  | 'denied'
  | 'is-folder'
  | 'too-large'
  | 'not-text' // not UTF-8
  | 'failed';

/** A path could not be used; `message` is the system's own. */
export class FileFailure extends Error {
  readonly kind: FileFailureKind;
  constructor(kind: FileFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FileFailure';
    this.kind = kind;
  }
}

/** Everything rejects with FileFailure. */
export interface Files {
  /** The whole file as text, a byte order mark removed. Longer than `maxBytes` is a failure, not a truncation. */
  read(path: string, maxBytes: number): Promise<string>;
  /** The same, but only a plain file that belongs to this user and that nobody else can write. */
  readOwn(path: string, maxBytes: number): Promise<string>;
  /** What the path leads to, links followed; undefined = nothing. */
  kind(path: string): Promise<PathKind | undefined>;
  /** The names in a folder, sorted by their bytes. */
  list(path: string): Promise<readonly string[]>;
  /** Writes the whole file at once or not at all, readable by its owner only; makes the folders it needs. */
  replace(path: string, text: string): Promise<void>;
  /** Adds lines to a file of this user alone, on the disk when it resolves: with its length in bytes. Makes the folders it needs. */
  append(path: string, lines: string): Promise<number>;
  /** Also when there is none. */
  remove(path: string): Promise<void>;
  /** Tries whether files could be put into the folder; makes the folders it needs, and leaves nothing else. */
  tryFolder(path: string): Promise<void>;
}

export const systemFiles: Files = {
  read: (path, maxBytes) => told(async () => decoded(await readUpTo(path, maxBytes))),
  readOwn: (path, maxBytes) => told(async () => decoded(await readUpTo(path, maxBytes, requireOwn))),
  async kind(path) {
    try {
      return await told(async () => kindOf(await stat(path)));
    } catch (error) {
      if (error instanceof FileFailure && error.kind === 'missing') return undefined;
      throw error;
    }
  },
  list: (path) =>
    told(async () => (await readdir(path)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))),
  replace: (path, text) => told(() => replace(path, text)),
  append: (path, lines) => told(() => append(path, lines)),
  remove: (path) => told(() => rm(path, { force: true })),
  tryFolder: (path) =>
    told(async () => {
      await makeFolder(path);
      await rmdir(await mkdtemp(`${path}/.try-`));
    }),
};

function kindOf(stats: Stats): PathKind {
  if (stats.isDirectory()) return 'folder';
  return stats.isFile() ? 'file' : 'other';
}

/** Not through a link, and without waiting for a pipe's writer. */
const OWN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Reads to the end without trusting the size the system tells: a pipe has none, `/dev/zero` no end. */
async function readUpTo(path: string, maxBytes: number, check?: (stats: Stats) => void): Promise<Buffer> {
  const handle = await open(path, check ? OWN : 'r');
  try {
    check?.(await handle.stat());
    const buffer = Buffer.allocUnsafe(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
    }
    throw new FileFailure('too-large', `more than ${maxBytes} bytes`);
  } finally {
    await handle.close();
  }
}

function requireOwn(stats: Stats): void {
  const own = stats.isFile() && stats.uid === userInfo().uid && (stats.mode & 0o022) === 0;
  if (!own) throw new FileFailure('denied', 'not a file of this user alone');
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FileFailure('not-text', 'not UTF-8 text', { cause });
  }
}

/** With the folders above it. Node's own `recursive` never ends where the system says ENOENT for a new name (/proc, autofs). */
async function makeFolder(path: string, mayLackParent = true): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || !mayLackParent || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await makeFolder(path, false);
  }
}

async function replace(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path));
  // Of this call alone: two writers of one draft would mix, and neither follows what lies there (a link, a pipe).
  const draft = `${path}.${Math.random().toString(36).slice(2)}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync(); // else the new name may outlive a power cut, and its content not
    } finally {
      await handle.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
}

/** Written at the end, and not through a link. */
const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function append(path: string, lines: string): Promise<number> {
  await makeFolder(dirname(path));
  const handle = await open(path, APPEND, 0o600);
  try {
    const stats = await handle.stat();
    requireOwn(stats);
    // What was cut short by a crash or a full disk is a line of its own, and does not spoil the next.
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, stats.size - 1));
    const isCut = stats.size > 0 && buffer.toString() !== '\n';
    const text = isCut ? `\n${lines}` : lines;
    await handle.appendFile(text);
    await handle.sync();
    return stats.size + Buffer.byteLength(text);
  } finally {
    await handle.close();
  }
}

const KINDS: Readonly<Record<string, FileFailureKind>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'denied',
  EPERM: 'denied',
  EISDIR: 'is-folder',
};

/** The system's errors as ours. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof FileFailure) throw cause;
    const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException;
    throw new FileFailure(KINDS[code] ?? 'failed', message, { cause });
  }
}
