/** Text files and folders that the user wrote, small and read whole. What gpumod itself keeps is in private-folder.ts. */
import type { Stats } from 'node:fs';
import { type FileHandle, open, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** `other`: a pipe, a device, a socket. */
type PathKind = 'file' | 'folder' | 'other';

export type FileFailureKind =
  | 'missing' // nothing there, or a link that leads nowhere
  | 'denied'
  | 'is-folder'
  | 'too-large'
  | 'not-text' // not UTF-8
  | 'exists' // and was not to be replaced
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
  /** What the path leads to, links followed; undefined = nothing. */
  kind(path: string): Promise<PathKind | undefined>;
  /** The names in a folder, sorted by their bytes. */
  list(path: string): Promise<readonly string[]>;
  /** The path itself or a folder on the way to it that every user can write to, where that lets them put another in its place. */
  openToAll(path: string): Promise<string | undefined>;
}

export const systemFiles: Files = {
  read: (path, maxBytes) => told(async () => textIn(await open(path, 'r'), maxBytes)),
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
  openToAll: (path) =>
    told(async () => {
      const real = await realpath(path).catch(() => undefined); // of a pipe (`/dev/fd/63`) there is none
      for (const each of [...(real === undefined ? [] : wayTo(real)), ...wayTo(resolve(path))])
        if (isOpenToAll(await stat(each))) return each;
      return undefined;
    }),
};

/** From the path up to the root. */
function wayTo(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...wayTo(parent)];
}

const EVERYONE_WRITES = 0o002;
/** In such a folder nobody takes away what is another's. */
const STICKY = 0o1000;

function isOpenToAll(stats: Stats): boolean {
  if ((stats.mode & EVERYONE_WRITES) === 0) return false;
  return stats.isFile() || (stats.isDirectory() && (stats.mode & STICKY) === 0);
}

function kindOf(stats: Stats): PathKind {
  if (stats.isDirectory()) return 'folder';
  return stats.isFile() ? 'file' : 'other';
}

/** Reads to the end without trusting the size the system tells: a pipe has none, `/dev/zero` no end. Closes the file. */
export async function textIn(handle: FileHandle, maxBytes: number): Promise<string> {
  try {
    const buffer = Buffer.allocUnsafe(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return decoded(buffer.subarray(0, length));
      length += bytesRead;
    }
    throw new FileFailure('too-large', `more than ${maxBytes} bytes`);
  } finally {
    await handle.close();
  }
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FileFailure('not-text', 'not UTF-8 text', { cause });
  }
}

const KINDS: Readonly<Record<string, FileFailureKind>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'denied',
  EPERM: 'denied',
  EISDIR: 'is-folder',
  EEXIST: 'exists',
};

/** The system's errors as ours. */
export async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof FileFailure) throw cause;
    const { code = '', message = String(cause) } = cause as NodeJS.ErrnoException;
    throw new FileFailure(KINDS[code] ?? 'failed', message, { cause });
  }
}
