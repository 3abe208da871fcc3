/** One switch at a time: a lock on a file in the runtime directory, which the kernel drops when its holder ends. */
import { GpumodError } from '../core/errors.ts';
import type { Why } from '../core/facts.ts';
import { isHolder, type LockHolder } from '../core/holder.ts';
import type { FileLocks, HeldFile } from '../io/file-lock.ts';
import { FileFailure } from '../io/files.ts';
import type { PathFacts } from '../io/path-facts.ts';
import type { PrivateFolder } from '../io/private-folder.ts';
import { parsed } from './json.ts';
import { isAlive, ourselves, type Self } from './life.ts';

export interface LockOptions {
  /** What it is taken for, as it would be typed: `mode switch rag`. */
  readonly command: string;
  /** 0: at once or not at all. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export interface HeldLock {
  /** Never throws. */
  release(): Promise<void>;
}

export interface SwitchLock {
  /** Throws `locked` when another has it, `lock-unavailable` when nobody can have it, and the signal's reason. */
  acquire(options: LockOptions): Promise<HeldLock>;
  /** Who has it now, without touching it; undefined = nobody, as far as can be told. Never throws. */
  holder(): Promise<LockHolder | undefined>;
  /** Why nobody could have it, with the folder; undefined = its folder is in order. Never throws. */
  trouble(): Promise<Why<'runtime-folder'> | undefined>;
}

export interface LockParts extends Self {
  readonly locks: FileLocks;
  readonly uid: number;
  /** Of this user; see `runtimeFolder`. */
  readonly folder: PrivateFolder;
}

const MAX_BYTES = 4096;
const FILE = 'lock';

export function openLock({ locks, uid, folder, ...self }: LockParts): SwitchLock {
  const path = `${folder.path}/${FILE}`;
  const holder = async () => {
    const told = holderIn(await folder.read(FILE, MAX_BYTES).catch(() => ''));
    return told && isAlive(self, told) ? told : undefined;
  };
  return {
    holder,
    trouble: () =>
      folder.prepare('').then(
        () => undefined,
        ({ message }: Error) => ({ code: 'runtime-folder', detail: message }),
      ),
    async acquire({ command, waitMs, signal }) {
      let held: HeldFile | undefined;
      try {
        held = await locks.take(path, { waitMs, uid, signal });
      } catch (error) {
        if (!(error instanceof FileFailure)) throw error;
        throw new GpumodError('lock-unavailable', { path, reason: error.message }, { cause: error });
      }
      if (!held) {
        const by = await holder();
        throw new GpumodError('locked', {
          waitedMs: waitMs,
          ...(by ? { by, forMs: Math.max(0, self.nowMs() - by.sinceMs) } : {}),
        });
      }
      // Only words for others: the lock holds without them.
      await held.write(`${JSON.stringify(ourselves(self, command))}\n`).catch(() => {});
      return held;
    },
  };
}

/**
 * Every process of a user must come to the same one, whatever its environment: cron sets nothing, `sudo -E` keeps
 * another user's. Root's is /run; who has no runtime directory has one in /tmp.
 */
export function runtimeFolder(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
  look: (path: string) => PathFacts | undefined,
): string {
  if (uid === 0) return '/run/gpumod';
  for (const folder of [env['XDG_RUNTIME_DIR'], `/run/user/${uid}`])
    if (folder?.startsWith('/') && look(folder)?.uid === uid) return `${folder}/gpumod`;
  return `/tmp/gpumod-${uid}`;
}

function holderIn(text: string): LockHolder | undefined {
  const value = parsed(text);
  return isHolder(value) ? value : undefined;
}
