/** Remembers the mode last switched to: it only decides which of several equal modes is called the current one. */
import type { Files } from '../io/files.ts';

export interface LastMode {
  /** Undefined when nothing is known, for whatever reason. */
  read(): Promise<string | undefined>;
  /** Never throws: a switch does not fail because a note can't be kept. */
  write(mode: string): Promise<void>;
}

/** Kept as one line in `DIR/last-mode`. */
export function openLastMode(files: Files, dir: string): LastMode {
  const path = `${dir}/last-mode`;
  return {
    async read() {
      const text = await files.read(path, 256).catch(() => '');
      return text.trim() || undefined;
    },
    async write(mode) {
      await files.replace(path, `${mode}\n`).catch(() => {});
    },
  };
}
