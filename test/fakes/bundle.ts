/** Bundles one TypeScript entry of ours into a plain script, for tests that need a process of its own on Node 20. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

/** `entry`: path from the repository's root. Returns the script's path, in a folder of its own below the temporary one. */
export async function bundle(entry: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'gpumod-bundle-'));
  const file = join(dir, 'entry.mjs');
  const build = await rolldown({ input: resolve(import.meta.dirname, '../..', entry), platform: 'node' });
  try {
    await build.write({ file, format: 'esm', codeSplitting: false });
  } finally {
    await build.close();
  }
  return file;
}
