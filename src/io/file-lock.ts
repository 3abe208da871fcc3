/**
 * The kernel's lock on a file, flock(2): it is dropped when its holder ends, however it ends. Node has no call for it;
 * util-linux's `flock` takes it on a descriptor that it shares with us, and when that program has ended the lock is ours.
 */
import type { ChildProcess } from 'node:child_process';
import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onAbort } from '../core/on-abort.ts';
import { FileFailure } from './files.ts';
import { foldersOf } from './run.ts';

export interface HeldFile {
  /** In place of what the file held. */
  write(text: string): Promise<void>;
  /** Empties the file and drops the lock. Never throws. */
  release(): Promise<void>;
}

export interface FileLocks {
  /**
   * Waits up to `waitMs` for the lock; undefined = another holds it. Makes the file and the last folder of its path, both
   * for this user alone. Rejects with FileFailure when there is no locking, and with the signal's reason.
   */
  take(path: string, options: TakeOptions): Promise<HeldFile | undefined>;
}

export interface TakeOptions {
  /** 0: at once or not at all. */
  readonly waitMs: number;
  /** The user's id: nobody else's file is locked. */
  readonly uid: number;
  readonly signal: AbortSignal;
}

type Env = Readonly<Record<string, string | undefined>>;

/** `env`: of the program that takes the lock. */
export const openFileLocks = (env: Env): FileLocks => ({
  async take(path, options) {
    try {
      await ownFolder(dirname(path), options.uid);
      for (;;) {
        const file = await open(path, FLAGS, 0o600);
        const isLocked = await locked(file, path, { ...options, env }).catch(async (error) => {
          await file.close();
          throw error;
        });
        if (isLocked === 'locked') return held(file);
        await file.close();
        if (isLocked === 'taken') return undefined;
      }
    } catch (cause) {
      options.signal.throwIfAborted();
      if (cause instanceof FileFailure) throw cause;
      throw new FileFailure('failed', cause instanceof Error ? cause.message : String(cause), { cause });
    }
  },
});

interface Taking extends TakeOptions {
  readonly env: Env;
}

/** Not through a link, and without waiting for a pipe's reader. */
const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function ownFolder(path: string, uid: number): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const stats = await lstat(path);
  if (!stats.isDirectory() || !isOwn(stats, uid))
    throw new FileFailure('denied', `${path} is not a folder of this user alone`);
}

function isOwn(stats: Stats, uid: number): boolean {
  return stats.uid === uid && (stats.mode & 0o022) === 0;
}

/** `gone`: what was locked is no longer what lies at the path. */
async function locked(file: FileHandle, path: string, options: Taking): Promise<'locked' | 'taken' | 'gone'> {
  const ours = await file.stat();
  if (!ours.isFile() || !isOwn(ours, options.uid))
    throw new FileFailure('denied', `${path} is not a file of this user alone`);
  if (!(await flock(file.fd, options))) return 'taken';
  const there = await stat(path).catch(() => undefined);
  return there?.ino === ours.ino && there.dev === ours.dev ? 'locked' : 'gone';
}

/** For the program itself, beyond what it is to wait. */
const GRACE_MS = 5_000;
/** What it ends with when another holds the lock. */
const TAKEN = 1;

async function flock(fd: number, { waitMs, signal, env }: Taking): Promise<boolean> {
  signal.throwIfAborted();
  const { spawn } = await import('node:child_process');
  const how = waitMs > 0 ? ['--timeout', (waitMs / 1000).toFixed(3)] : ['--nonblock'];
  const child = spawn('flock', ['--exclusive', ...how, '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    env: { ...env, PATH: foldersOf(env).join(':') },
  });
  const code = await ended(child, waitMs + GRACE_MS, signal);
  if (code === 0) return true;
  if (code === TAKEN) return false;
  throw new FileFailure('failed', `flock (util-linux) ended with ${code ?? 'a signal'}`);
}

function ended(child: ChildProcess, mostMs: number, signal: AbortSignal): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const end = () => child.kill('SIGKILL');
    const forget = onAbort(signal, end);
    const late = setTimeout(end, mostMs);
    const over = () => {
      clearTimeout(late);
      forget();
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      over();
      const missing = error.code === 'ENOENT' ? 'there is no program flock (of util-linux)' : error.message;
      reject(new FileFailure('failed', missing, { cause: error }));
    });
    child.on('exit', (code) => {
      over();
      if (signal.aborted) reject(signal.reason);
      else resolve(code);
    });
  });
}

function held(file: FileHandle): HeldFile {
  return {
    async write(text) {
      await file.truncate(0);
      await file.write(text, 0);
    },
    async release() {
      await file.truncate(0).catch(() => {});
      await file.close().catch(() => {});
    },
  };
}
