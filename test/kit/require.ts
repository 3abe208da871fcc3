/** What the tests may need of the machine: there, missing (skip and say so), or missing though required (fail). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';

/** The root folder of the real llama-server; `test/run.mjs` sets it. */
const LLAMA_ROOT = process.env['GPUMOD_TEST_LLAMA_ROOT'];

const NEEDS = {
  /** A systemd of our own that may be broken, with a user manager for this user. */
  systemd: () => existsSync('/run/gpumod-sandbox'),
  llama: () => LLAMA_ROOT !== undefined && existsSync(join(LLAMA_ROOT, 'usr/bin/llama-server')),
  zsh: () => isOnPath('zsh'),
  fish: () => isOnPath('fish'),
  groff: () => isOnPath('groff'),
  mandoc: () => isOnPath('mandoc'),
} as const;

const isOnPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)));

export type Need = keyof typeof NEEDS;

/** `describe` where everything needed is there, else `describe.skip`; throws where `GPUMOD_REQUIRE` names what is missing. */
export function describeWith(...needs: readonly Need[]): typeof describe | typeof describe.skip {
  const missing = needs.filter((need) => !NEEDS[need]());
  const required = (process.env['GPUMOD_REQUIRE'] ?? '').split(',').map((name) => name.trim());
  const broken = missing.filter((need) => required.includes(need));
  if (broken.length > 0) throw new Error(`required by GPUMOD_REQUIRE, and not there: ${broken.join(', ')}`);
  return missing.length > 0 ? describe.skip : describe;
}

/** The root folder of the real llama-server; only where `describeWith('llama')` let the test run. */
export function llamaRoot(): string {
  if (LLAMA_ROOT === undefined) throw new Error('GPUMOD_TEST_LLAMA_ROOT is not set');
  return LLAMA_ROOT;
}
