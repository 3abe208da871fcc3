/** Files for the user, written once and never over another; and how large those are that are only looked at. */
import { link, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { told } from './files.ts';

/** Everything rejects with FileFailure. */
export interface NewFiles {
  /** The whole file, for others to read too, with the folders it needs; `exists` where anything has its name. */
  create(path: string, text: string): Promise<void>;
  /** Bytes of a file, links followed; undefined = it is none. */
  size(path: string): Promise<number | undefined>;
}

export const newFiles: NewFiles = {
  create: (path, text) => told(() => create(path, text)),
  size: (path) =>
    told(async () => {
      const stats = await stat(path);
      return stats.isFile() ? stats.size : undefined;
    }),
};

/** Whole before it has its name, which it is given only where nothing has it. */
async function create(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path));
  const draft = `${path}.${Math.random().toString(36).slice(2)}.new`;
  const handle = await open(draft, 'wx', 0o644);
  try {
    await handle.writeFile(text);
    await handle.sync();
    await link(draft, path);
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
}

/** With the folders above it. Node's own `recursive` never ends where the system says ENOENT for a new name (/proc, autofs). */
async function makeFolder(path: string, mayLackParent = true): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || !mayLackParent || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await makeFolder(path, false);
  }
}
