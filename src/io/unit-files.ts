/** Unit files in the folder where an administrator's or user's own lie: read, and written whole or not at all. */
import { constants } from 'node:fs';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Scope } from '../core/model.ts';
import { FileFailure, textIn, told } from './files.ts';

/** All but `pathOf` rejects with FileFailure. */
export interface UnitFiles {
  /** Throws `user-scope-as-root`. */
  pathOf(unit: string, scope: Scope): string;
  /** Undefined: there is none. A link is not followed: it is somebody's wish of its own, e.g. a mask (`denied`). */
  read(path: string): Promise<string | undefined>;
  /** With the folders above it. `isNew`: fails (`denied`) where a file has appeared meanwhile. */
  write(path: string, text: string, isNew: boolean): Promise<void>;
}

const MAX_BYTES = 2 ** 20;

/** `folderOf`: of that manager's units. */
export const openUnitFiles = (folderOf: (scope: Scope) => string): UnitFiles => ({
  pathOf: (unit, scope) => join(folderOf(scope), unit),
  async read(path) {
    try {
      return await told(async () => textIn(await open(path, READ), MAX_BYTES));
    } catch (error) {
      if (error instanceof FileFailure && error.kind === 'missing') return undefined;
      throw linkNamed(error);
    }
  },
  write: (path, text, isNew) => told(() => replace(path, text, isNew)),
});

const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function linkNamed(error: unknown): unknown {
  if (!(error instanceof FileFailure)) return error;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ELOOP' ? new FileFailure('denied', 'it is a link', { cause: error }) : error;
}

async function replace(path: string, text: string, isNew: boolean): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  // No name of a unit: systemd does not look at it. For everybody to read: systemd tells its content to all anyway.
  const draft = join(dirname(path), `.gpumod-${Math.random().toString(36).slice(2)}.new`);
  try {
    const handle = await open(draft, 'wx', 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (isNew) await link(draft, path).catch(appeared);
    else await rename(draft, path);
  } finally {
    await rm(draft, { force: true }).catch(() => {});
  }
}

function appeared(error: NodeJS.ErrnoException): never {
  if (error.code !== 'EEXIST') throw error;
  throw new FileFailure('denied', 'another file has appeared there meanwhile', { cause: error });
}
