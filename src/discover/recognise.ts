/** The table of engines, each known by its command line; and the one among several that a unit is about. Pure. */
import { flagsOf } from './flags.ts';
import type { Found, Recognise } from './found.ts';
import { koboldcpp, llamacpp, ollama } from './llamacpp.ts';
import { comfyui, http, tabbyapi } from './others.ts';
import type { Program } from './program.ts';
import { sglang, vllm } from './vllm.ts';

/** In this order: what is sure comes first, and any HTTP server last. */
const TABLE: readonly Recognise[] = [vllm, sglang, llamacpp, ollama, koboldcpp, tabbyapi, comfyui, http];

export interface Recognised {
  readonly found: Found;
  readonly program: Program;
}

/** Of all that a unit runs, the engine; `inherited`: what its unit says besides, such as its name. */
export function recognise(programs: readonly Program[]): Recognised | undefined {
  for (const one of TABLE)
    for (const program of programs) {
      const found = one(program, flagsOf(program.args));
      if (found) return { found, program };
    }
  return undefined;
}

/** It speaks of an engine and yet was not understood. */
export const mentionsEngine = (text: string): boolean =>
  /vllm|sglang|llama[-_. ]?(cpp|server)|ollama|comfyui|tabbyapi|koboldcpp|aphrodite/i.test(text);
