/** `gpumod demo`: the same use cases on a simulated box. */
import type { Manifest } from '../core/model.ts';
import type { Host } from '../execute/host.ts';

/** A box that looks like a real one to every use case. */
export interface Demo {
  readonly manifest: Manifest;
  readonly host: Host;
}

/** The tour: what a day on such a box looks like. */
export const TOUR: readonly string[] = ['code', 'rag', 'speak', 'off'];
