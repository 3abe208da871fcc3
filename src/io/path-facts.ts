/** What a path is and whose, as far as choosing a bus needs it. */
import { statSync } from 'node:fs';

export interface PathFacts {
  readonly uid: number;
  readonly isSocket: boolean;
}

/** Undefined: not there, or not ours to look at. */
export function pathFacts(path: string): PathFacts | undefined {
  try {
    const stat = statSync(path);
    return { uid: stat.uid, isSocket: stat.isSocket() };
  } catch {
    return undefined;
  }
}
