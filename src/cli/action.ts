/** What a command's action is given, and what it answers. */
import type { Parts } from './parts.ts';
import type { View } from './view/view.ts';

export interface Call {
  /** As it was typed, in full and without options: `mode switch rag`. */
  readonly command: string;
  readonly args: readonly string[];
  /** By camel-cased long name; a flag is true. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly view: View;
  readonly parts: Parts;
}

/** Resolves with the exit code; throws GpumodError. */
export type Action = (call: Call) => Promise<number>;
