/** What the tests of the manifest share: files that exist only in memory, and faults as one line of text. */
import { GpumodError, isGpumodError, type ManifestIssue } from '../../../src/core/errors.ts';
import type { Manifest } from '../../../src/core/model.ts';
import { FileFailure, type Files } from '../../../src/io/files.ts';
import { loadManifest } from '../../../src/manifest/load.ts';

/** Paths to texts; a folder is there when a file is in it. */
export function memoryFiles(contents: Readonly<Record<string, string>>): Files {
  const inside = (folder: string) =>
    Object.keys(contents).flatMap((path) => (path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : []));
  const read = async (path: string, maxBytes: number) => {
    const text = contents[path];
    if (text === undefined) throw new FileFailure('missing', `no ${path}`);
    if (Buffer.byteLength(text) > maxBytes) throw new FileFailure('too-large', `more than ${maxBytes} bytes`);
    return text;
  };
  return {
    read,
    async kind(path) {
      if (path in contents) return 'file';
      return inside(path).length > 0 ? 'folder' : undefined;
    },
    openToAll: async () => undefined,
    list: async (path) => [...new Set(inside(path).map((name) => name.split('/')[0] ?? ''))].sort(),
  };
}

export const load = (text: string, env: Readonly<Record<string, string>> = {}): Promise<Manifest> =>
  loadManifest({ path: '/m.yaml', env, home: '/home/me', files: memoryFiles({ '/m.yaml': text }) });

/** `3:5 services.chat: message (did you mean X?)`. */
export const issueText = ({ line, col, path, message, suggestion }: ManifestIssue): string =>
  `${line}:${col} ${path ? `${path}: ` : ''}${message}${suggestion === undefined ? '' : ` (did you mean ${suggestion}?)`}`;

/** The faults a load ends with; any other end is a failure of the test. */
export async function issuesOf(loading: Promise<unknown>): Promise<readonly ManifestIssue[]> {
  const error = await loading.then(
    () => new Error('no fault was found'),
    (reason: unknown) => reason,
  );
  if (error instanceof GpumodError && isGpumodError(error) && error.code === 'manifest-invalid')
    return error.details.issues;
  throw error;
}
