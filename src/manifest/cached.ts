/**
 * The manifest without reading YAML again: a copy of the last result, kept beside the very texts it was made from, and
 * used only when those are what lies on the disk now. Half of the time of a short command would go into parsing.
 */
import type { Manifest, Mode, Service } from '../core/model.ts';
import type { Files } from '../io/files.ts';
import type { PrivateFolder } from '../io/private-folder.ts';
import { locateManifest, MAX_FILE_BYTES, type Where } from './locate.ts';

/** Longer than any manifest, with its texts and the result. */
const MAX_BYTES = 4 * 2 ** 20;

/** As JSON; a copy that another version made, or of other texts, is not used. */
interface Copy {
  readonly version: string;
  readonly home: string;
  readonly texts: Readonly<Record<string, string>>;
  readonly manifest: Omit<Manifest, 'services' | 'modes'> & {
    readonly services: readonly (readonly [string, Service])[];
    readonly modes: readonly (readonly [string, Mode])[];
  };
}

export interface Cache {
  /** Where copies are kept, one for each manifest. */
  readonly folder: PrivateFolder;
  /** Of gpumod. */
  readonly version: string;
}

/** Anything but a service's own fields. */
const ENVIRONMENT = /\$\{(?!service\.)/;

/** `load` is called when there is no good copy; a text with `${NAME}` in it is never copied: it may hold secrets. */
export async function loadCached(
  where: Where,
  cache: Cache,
  load: (where: Where) => Promise<Manifest>,
): Promise<Manifest> {
  const once = { ...where, files: readingOnce(where.files) };
  const texts = await readTexts(once).catch(() => undefined);
  if (!texts || Object.values(texts).some((text) => ENVIRONMENT.test(text))) return load(once);
  const file = `${nameFor(Object.keys(texts))}.json`;
  const copy = await readCopy(where, cache, file, texts);
  if (copy) return copy;
  const manifest = await load(once);
  const fresh: Copy = {
    version: cache.version,
    home: where.home,
    texts,
    manifest: { ...manifest, services: [...manifest.services], modes: [...manifest.modes] },
  };
  await cache.folder.write(file, JSON.stringify(fresh)).catch(() => {}); // no copy: slower, nothing else
  return manifest;
}

/** A pipe (`--manifest <(generate)`) can be read once only. */
function readingOnce(files: Files): Files {
  const texts = new Map<string, Promise<string>>();
  return {
    ...files,
    read(path, maxBytes) {
      const text = texts.get(path) ?? files.read(path, maxBytes);
      texts.set(path, text);
      return text;
    },
  };
}

async function readTexts(where: Where): Promise<Record<string, string>> {
  const paths = await locateManifest(where);
  const texts = await Promise.all(paths.map((path) => where.files.read(path, MAX_FILE_BYTES)));
  return Object.fromEntries(paths.map((path, i) => [path, texts[i] ?? '']));
}

/** A file name for a set of paths (FNV-1a): two sets of one name take turns, no more; the texts decide. */
function nameFor(paths: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const char of paths.join('\0')) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return `manifest-${(hash >>> 0).toString(16)}`;
}

/** A copy that is not what it should be is no copy: it is made anew. */
async function readCopy(
  { home }: Where,
  { folder, version }: Cache,
  file: string,
  texts: Copy['texts'],
): Promise<Manifest | undefined> {
  try {
    const copy = JSON.parse(await folder.read(file, MAX_BYTES)) as Copy;
    return copy.version === version && copy.home === home && sameTexts(copy.texts, texts) ? revive(copy) : undefined;
  } catch {
    return undefined;
  }
}

function sameTexts(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const paths = Object.keys(a);
  return paths.join('\0') === Object.keys(b).join('\0') && paths.every((path) => a[path] === b[path]);
}

function revive({ manifest }: Copy): Manifest {
  return { ...manifest, services: new Map(manifest.services), modes: new Map(manifest.modes) };
}
