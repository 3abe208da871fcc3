/** Remembers the mode last switched to: it only decides which of several equal modes is called the current one. */
import type { PrivateFolder } from '../io/private-folder.ts';

export interface LastMode {
  /** Undefined when nothing is known, for whatever reason. */
  read(): Promise<string | undefined>;
  /** Never throws: a switch does not fail because a note can't be kept. */
  write(mode: string): Promise<void>;
}

/** Kept as one line in `last-mode`. */
export function openLastMode(folder: PrivateFolder): LastMode {
  return {
    async read() {
      const text = await folder.read('last-mode', 256).catch(() => '');
      return text.trim() || undefined;
    },
    async write(mode) {
      await folder.write('last-mode', `${mode}\n`).catch(() => {});
    },
  };
}
