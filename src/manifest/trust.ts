/** Whether a manifest says what its owner wrote: not where every user can write. */
import { GpumodError } from '../core/errors.ts';
import type { Manifest } from '../core/model.ts';
import type { Files } from '../io/files.ts';

/**
 * The manifest, with what of it is open to all noted. Throws `manifest-open-to-all` where following it would do what the
 * writer could not do: as root (`uid` 0), or with units of the system.
 */
export async function trusted(manifest: Manifest, files: Files, uid: number): Promise<Manifest> {
  const open = await Promise.all(manifest.files.map((file) => files.openToAll(file).catch(() => undefined)));
  const path = open.find((each) => each !== undefined);
  if (path === undefined) return manifest;
  if (uid === 0) throw new GpumodError('manifest-open-to-all', { path, because: 'root' });
  if ([...manifest.services.values()].some(({ scope }) => scope === 'system'))
    throw new GpumodError('manifest-open-to-all', { path, because: 'system-scope' });
  return { ...manifest, openToAll: path };
}
