/** Which mode holds now. Pure. */
import type { Manifest } from '../core/model.ts';
import type { Observation } from '../core/state.ts';
import { differences, wantedInMode } from './wanted.ts';

export type CurrentMode =
  | {
      readonly kind: 'mode';
      readonly mode: string /** Modes with the same wanted states. */;
      readonly also: readonly string[];
    }
  | { readonly kind: 'none'; readonly nearest: string; readonly differs: readonly string[] };

/** Of several modes that hold, the one last switched to, else the first of the manifest. */
export function currentMode(manifest: Manifest, now: Observation, last: string | undefined): CurrentMode {
  const ranked = [...manifest.modes.values()]
    .map((mode) => ({ mode: mode.name, differs: differences(wantedInMode(manifest, mode), now) }))
    .sort((a, b) => a.differs.length - b.differs.length || Number(b.mode === last) - Number(a.mode === last));
  const [best, ...rest] = ranked;
  if (!best) throw new Error('a manifest always has the mode off');
  if (best.differs.length > 0) return { kind: 'none', nearest: best.mode, differs: best.differs };
  return {
    kind: 'mode',
    mode: best.mode,
    also: rest.filter((other) => other.differs.length === 0).map(({ mode }) => mode),
  };
}
