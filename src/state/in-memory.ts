/** The same for as long as the process lasts: for machines that are not real. */
import type { CardSize } from '../core/facts.ts';
import { type Learned, withSamples } from '../core/figures.ts';
import type { HistoryEntry, Underway } from '../core/record.ts';
import { changed, type Remembered } from '../core/remembered.ts';
import type { State } from './state.ts';

/** What is kept, to look into. */
export interface Kept {
  readonly records: Map<string, Remembered>;
  readonly figures: Map<string, Learned>;
  readonly history: HistoryEntry[];
  /** Of the switch at work, as it was written each time. */
  readonly journal: Omit<Underway, 'by'>[];
  readonly last: { mode?: string };
  readonly cards: { sizes?: readonly CardSize[] };
}

export const nothingKept = (): Kept => ({
  records: new Map(),
  figures: new Map(),
  history: [],
  journal: [],
  last: {},
  cards: {},
});

export function stateInMemory(kept: Kept = nothingKept()): State {
  return {
    lock: {
      acquire: async () => ({ release: async () => {} }),
      holder: async () => undefined,
      trouble: async () => undefined,
    },
    switchJournal: {
      write: async (entry) => {
        kept.journal.push(structuredClone(entry));
      },
      read: async () => undefined,
      clear: async () => {},
    },
    history: {
      append: async (entry) => {
        kept.history.push(structuredClone(entry));
      },
      read: async () => kept.history,
      last: async () => kept.history.at(-1),
    },
    lastMode: {
      read: async () => kept.last.mode,
      write: async (mode) => {
        kept.last.mode = mode;
      },
    },
    records: {
      read: async (service) => kept.records.get(service),
      async keep(service, changes, nowMs) {
        kept.records.set(service, changed(kept.records.get(service), changes, nowMs));
      },
      trouble: async () => undefined,
    },
    figures: {
      read: async (service) => kept.figures.get(service),
      async add(service, samples, version) {
        if (samples.length > 0) kept.figures.set(service, withSamples(kept.figures.get(service), samples, version));
      },
    },
    cardSizes: {
      read: async () => kept.cards.sizes ?? [],
      write: async (sizes) => {
        kept.cards.sizes = structuredClone(sizes);
      },
    },
  };
}
