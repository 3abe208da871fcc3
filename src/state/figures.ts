/** Keeps what was measured of each service, one small JSON file each. It may be lost at any time: then defaults are used. */
import { type Learned, MEASURES, type Measure, type Sample, withSamples } from '../core/figures.ts';
import type { PrivateFolder } from '../io/private-folder.ts';
import { type Entry, entryOf, parsed } from './json.ts';

export interface Figures {
  /** Undefined when nothing is kept, or it can't be read or understood. Never throws. */
  read(service: string): Promise<Learned | undefined>;
  /** `version`: of the engine. Throws FileFailure when they can't be kept. */
  add(service: string, samples: readonly Sample[], version?: string): Promise<void>;
}

const MAX_BYTES = 64 * 1024;

/** Files `figures/NAME.json`; names are a manifest's, which are safe in a path. */
export function openFigures(folder: PrivateFolder): Figures {
  const fileOf = (service: string) => `figures/${service}.json`;
  const writing = new Map<string, Promise<void>>();

  const read = async (service: string) => learnedIn(await folder.read(fileOf(service), MAX_BYTES).catch(() => ''));
  const write = async (service: string, samples: readonly Sample[], version?: string) => {
    const kept = withSamples(await read(service), samples, version);
    await folder.write(fileOf(service), `${JSON.stringify(kept)}\n`);
  };
  return {
    read,
    add(service, samples, version) {
      if (samples.length === 0) return Promise.resolve();
      const before = writing.get(service) ?? Promise.resolve();
      const now = before.catch(() => {}).then(() => write(service, samples, version));
      writing.set(service, now);
      return now;
    },
  };
}

/** What is not understood is as good as not there. */
function learnedIn(text: string): Learned | undefined {
  const { samples, version } = entryOf(parsed(text));
  if (typeof samples !== 'object' || samples === null) return undefined;
  const of = (measure: Measure): readonly (readonly [Measure, readonly number[]])[] => {
    const values: unknown = (samples as Entry)[measure];
    return Array.isArray(values) && values.every(isFigure) ? [[measure, values]] : [];
  };
  const known = Object.fromEntries(MEASURES.flatMap(of));
  return typeof version === 'string' ? { version, samples: known } : { samples: known };
}

function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
