/** A folder that belongs to this user alone: what gpumod keeps is read and written without following what others could put there. */
import { closeSync, constants, fstatSync, fsyncSync, openSync, type Stats } from 'node:fs';
import { chmod, type FileHandle, mkdir, mkdtemp, open, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FileFailure, textIn, told } from './files.ts';

/**
 * Names may lead through folders in it (`services/chat.json`); of these, what is above the last slash is checked like the
 * folder itself. Folders are 0700 and files 0600. All rejects with FileFailure, whose message names the path: `denied`
 * for a folder or file that another user owns or that others can write, and for a link in place of either.
 */
export interface PrivateFolder {
  readonly path: string;
  /** A whole text file; longer than `maxBytes` is a failure, not a truncation. Makes nothing. */
  read(name: string, maxBytes: number): Promise<string>;
  /** The last whole lines of a text file, of at most so many bytes; none when its last line is longer. Makes nothing. */
  tail(name: string, maxBytes: number): Promise<string>;
  /** Writes the whole file at once or not at all; it is on the disk then, and so is its name. */
  write(name: string, text: string): Promise<void>;
  /** Puts a line at the end of the file, on the disk when it resolves: with the file's length in bytes. */
  append(name: string, line: string): Promise<number>;
  /** Also when there is none. */
  remove(name: string): Promise<void>;
  /** Makes the folder (`''`: this one) and tries whether a file could be put into it; leaves nothing else. */
  prepare(name: string): Promise<void>;
}

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Not through a link, and without waiting for a pipe's other end. */
const FILE = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const APPEND = FILE | constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

/** Opens nothing yet. `uid`: the user as whom this process reaches files. `hide`: takes out what is not to be kept. */
export function openPrivateFolder(path: string, uid: number, hide = (text: string): string => text): PrivateFolder {
  /** Holds the folders open while `work` lasts: a folder put in their place meanwhile is not entered. */
  const inside = async <T>(names: readonly string[], make: boolean, work: (folder: Held) => Promise<T>): Promise<T> => {
    const held: number[] = [];
    let here = path;
    try {
      held.push(await enter(path, { shown: path, uid, make: make && (() => makeRoot(path, uid)) }));
      for (const name of names) {
        const at = placeIn(held.at(-1) ?? -1, name);
        here = join(here, name);
        held.push(await enter(at, { shown: here, uid, make: make && (() => mkdir(at, { mode: 0o700 })) }));
      }
      return await work({ path: here, fd: held.at(-1) ?? -1, at: (name) => placeIn(held.at(-1) ?? -1, name) });
    } finally {
      for (const fd of held) closeSync(fd);
    }
  };
  const withFile = <T>(name: string, make: boolean, work: (folder: Held, file: string) => Promise<T>): Promise<T> => {
    const parts = name.split('/');
    const file = parts.pop() ?? '';
    return naming(join(path, name), () => inside(parts, make, (folder) => work(folder, file)));
  };
  return {
    path,
    read: (name, maxBytes) =>
      withFile(name, false, async (folder, file) => textIn(await openOwn(folder.at(file), FILE, uid), maxBytes)),
    tail: (name, maxBytes) =>
      withFile(name, false, async (folder, file) => linesAtEnd(await openOwn(folder.at(file), FILE, uid), maxBytes)),
    write: (name, text) => withFile(name, true, (folder, file) => replace(folder, file, hide(text))),
    append: (name, line) =>
      withFile(name, true, async (folder, file) => added(await openOwn(folder.at(file), APPEND, uid), hide(line))),
    remove: (name) =>
      withFile(name, false, (folder, file) => rm(folder.at(file), { force: true })).catch(unlessMissing),
    prepare: (name) =>
      naming(join(path, name), () =>
        inside(name === '' ? [] : name.split('/'), true, async ({ at }) => rmdir(await mkdtemp(at('.try-')))),
      ),
  };
}

/** A folder that is held open. */
interface Held {
  readonly path: string;
  readonly fd: number;
  at(name: string): string;
}

/** Inside the folder that is open, wherever its name leads by now. */
const placeIn = (fd: number, name: string): string => `/proc/self/fd/${fd}/${name}`;

interface Entering {
  readonly shown: string;
  readonly uid: number;
  readonly make: (() => Promise<unknown>) | false;
}

async function enter(path: string, { shown, uid, make }: Entering): Promise<number> {
  const fd = await openFolder(path, shown, make);
  try {
    const stats = fstatSync(fd);
    requireOwn(stats, uid, shown);
    // Readable for others: made by hand, or by another program.
    if (stats.mode & 0o077) await chmod(`/proc/self/fd/${fd}`, 0o700);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function openFolder(path: string, shown: string, make: Entering['make']): Promise<number> {
  try {
    return openSync(path, FOLDER);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR' || code === 'ELOOP') throw refusal(shown, 'it is a link or no folder');
    if (code !== 'ENOENT' || !make) throw error;
  }
  await make().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // another command of ours was first
  });
  return openFolder(path, shown, false);
}

/**
 * With the folders above it: Node's own `recursive` never ends where the system says ENOENT for a new name (/proc, autofs).
 * Nothing is put where another user may take it away again, and root leaves nothing in a user's home (sudo with HOME kept).
 */
async function makeRoot(path: string, uid: number, mayLackParent = true): Promise<void> {
  const parent = dirname(path);
  const stats = await stat(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || !mayLackParent || parent === path) throw error;
  });
  if (!stats) {
    await makeRoot(parent, uid);
    return makeRoot(path, uid, false);
  }
  if (stats.uid !== uid && stats.uid !== 0) throw refusal(parent, `it belongs to user id ${stats.uid}`);
  if (stats.mode & 0o002 && !(stats.mode & 0o1000)) throw refusal(parent, 'every user can write to it');
  await mkdir(path, { mode: 0o700 });
}

async function openOwn(path: string, flags: number, uid: number): Promise<FileHandle> {
  const handle = await open(path, flags, 0o600);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new FileFailure('denied', 'it is no plain file');
    requireOwn(stats, uid);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function requireOwn(stats: Stats, uid: number, path?: string): void {
  if (stats.uid !== uid) throw refusal(path, `it belongs to user id ${stats.uid}`);
  if (stats.mode & 0o022) throw refusal(path, 'others can write to it');
}

/** Whose message names the path already. */
class NamedFailure extends FileFailure {}

function refusal(path: string | undefined, why: string): FileFailure {
  return path === undefined ? new FileFailure('denied', why) : new NamedFailure('denied', `${path}: ${why}`);
}

async function replace({ fd, at }: Held, file: string, text: string): Promise<void> {
  // Of this call alone: two writers of one draft would mix, and neither follows what lies there (a link, a pipe).
  const draft = at(`${file}.${Math.random().toString(36).slice(2)}.new`);
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync(); // else the new name may outlive a power cut, and its content not
    } finally {
      await handle.close();
    }
    await rename(draft, at(file));
    fsyncSync(fd); // else the old name may outlive it
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw error;
  }
}

async function linesAtEnd(file: FileHandle, maxBytes: number): Promise<string> {
  try {
    const { size } = await file.stat();
    // One byte more: where it is the end of a line, the next is whole.
    const from = Math.max(0, size - maxBytes - 1);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(size - from), 0, size - from, from);
    const read = buffer.subarray(0, bytesRead);
    const start = from === 0 ? 0 : read.indexOf('\n') + 1;
    return start === 0 && from > 0 ? '' : read.subarray(start).toString();
  } finally {
    await file.close();
  }
}

async function added(file: FileHandle, line: string): Promise<number> {
  try {
    const { size } = await file.stat();
    // What was cut short by a crash or a full disk is a line of its own, and does not spoil the next.
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    const isCut = size > 0 && buffer.toString() !== '\n';
    const text = `${isCut ? '\n' : ''}${line}\n`;
    await file.appendFile(text);
    await file.sync();
    return size + Buffer.byteLength(text);
  } finally {
    await file.close();
  }
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof FileFailure) || error.kind !== 'missing') throw error;
}

/** The system's words name a path of ours under /proc; and where a link is not followed, it speaks of too many. */
async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await told(work);
  } catch (error) {
    if (!(error instanceof FileFailure) || error instanceof NamedFailure) throw error;
    const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw new FileFailure('denied', `${path}: it is a link`, { cause: error });
    throw new FileFailure(error.kind, `${path}: ${error.message.split(', ')[0]}`, { cause: error });
  }
}
