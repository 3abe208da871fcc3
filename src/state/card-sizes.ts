/** Remembers how large each card is, for when the GPU tool hangs, fails or talks nonsense: a plan still has a limit then. */
import type { CardSize } from '../core/facts.ts';
import type { PrivateFolder } from '../io/private-folder.ts';
import { entryOf, parsed } from './json.ts';

export interface CardSizes {
  /** Empty when nothing is kept, or it can't be read or understood. Never throws. */
  read(): Promise<readonly CardSize[]>;
  /** All there are. Never throws: what can't be kept for the next command is read in this one all the same. */
  write(sizes: readonly CardSize[]): Promise<void>;
}

const FILE = 'cards.json';
const MAX_BYTES = 64 * 1024;

export function openCardSizes(folder: PrivateFolder): CardSizes {
  let unwritten: readonly CardSize[] | undefined;
  return {
    read: async () => unwritten ?? sizesIn(await folder.read(FILE, MAX_BYTES).catch(() => '')),
    async write(sizes) {
      const text = `${JSON.stringify({ cards: sizes })}\n`;
      unwritten = sizes;
      if (Buffer.byteLength(text) > MAX_BYTES) return;
      await folder.write(FILE, text).then(
        () => {
          unwritten = undefined;
        },
        () => {},
      );
    },
  };
}

/** What is not understood is as good as not there: one card that makes no sense, and none does. */
function sizesIn(text: string): readonly CardSize[] {
  const cards = entryOf(parsed(text))['cards'];
  if (!Array.isArray(cards) || !cards.every(isSize)) return [];
  return cards.map(({ index, uuid, totalBytes }) => ({ index, uuid, totalBytes }));
}

function isSize(value: unknown): value is CardSize {
  const { index, uuid, totalBytes } = Object(value) as Partial<Record<keyof CardSize, unknown>>;
  const isIndex = Number.isSafeInteger(index) && Number(index) >= 0;
  return isIndex && typeof uuid === 'string' && Number.isSafeInteger(totalBytes) && Number(totalBytes) > 0;
}
