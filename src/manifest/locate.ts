/** Finds the files of the manifest: what is asked for by name, else the first place that has one. */
import { join } from 'node:path';
import { GpumodError } from '../core/errors.ts';
import { FileFailure, type Files } from '../io/files.ts';
import type { Environment } from './environment.ts';

/** A thousand services fit; what is larger is no manifest. */
export const MAX_FILE_BYTES: number = 256 * 1024;

export interface Where {
  /** Of `--manifest`. */
  readonly path?: string;
  readonly env: Environment;
  readonly home: string;
  readonly files: Files;
}

/** The YAML files in the order they are merged; never none. Throws `manifest-not-found`, `manifest-unreadable`. */
export async function locateManifest(where: Where): Promise<readonly string[]> {
  const places = candidates(where);
  for (const place of places) {
    const found = await filesAt(place, where.files).catch((error: unknown) => unreadable(place, error));
    if (found.length > 0) return found;
  }
  const [place = '', ...others] = places;
  if (others.length === 0 && (await where.files.kind(place).catch(() => undefined)) === 'folder')
    throw new GpumodError('manifest-unreadable', { file: place, reason: 'the folder holds no *.yaml' });
  throw new GpumodError('manifest-not-found', { searched: places });
}

/** A place asked for by name is the only one: another manifest would be a surprise. */
function candidates({ path, env, home }: Where): readonly string[] {
  const asked = path || env['GPUMOD_MANIFEST'];
  if (asked) return [asked];
  const config = env['XDG_CONFIG_HOME'];
  // The XDG specification has relative paths ignored.
  return [join(config?.startsWith('/') ? config : join(home, '.config'), 'gpumod'), '/etc/gpumod'];
}

/**
 * Where a new one belongs, and what is in the way: a manifest that is found already. A folder asked for by name gets the
 * file's usual name. Throws `manifest-unreadable`.
 */
export async function newManifestPath(
  where: Where & { readonly uid: number },
): Promise<{ readonly file: string; readonly existing?: string }> {
  const places = candidates(where);
  const [first = ''] = places;
  const place = places.length > 1 && where.uid === 0 ? (places.at(-1) ?? first) : first;
  const isFile = places.length === 1 && (await where.files.kind(place).catch(() => undefined)) !== 'folder';
  const file = isFile ? place : join(place, FILE_NAME);
  for (const each of places) {
    const [existing] = await filesAt(each, where.files).catch((error: unknown) => unreadable(each, error));
    if (existing !== undefined) return { file, existing };
  }
  return { file };
}

const FILE_NAME = 'gpumod.yaml';

async function filesAt(place: string, files: Files): Promise<readonly string[]> {
  const kind = await files.kind(place);
  if (kind === undefined) return [];
  if (kind !== 'folder') return [place]; // also a pipe: --manifest <(generate)
  const names = (await files.list(place)).filter((name) => /^[^.].*\.ya?ml$/.test(name));
  const paths = names.map((name) => join(place, name));
  const kinds = await Promise.all(paths.map((path) => files.kind(path)));
  // A link that leads nowhere stays: reading it tells.
  return paths.filter((_, index) => kinds[index] === 'file' || kinds[index] === undefined);
}

/** A manifest that is there and can't be read is never passed over. */
export function unreadable(file: string, error: unknown): never {
  if (!(error instanceof FileFailure)) throw error;
  throw new GpumodError('manifest-unreadable', { file, reason: error.message }, { cause: error });
}
