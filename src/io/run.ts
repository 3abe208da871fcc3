/** Runs a program to its end: argument vector, no shell, a deadline, capped output. */
import type { ChildProcessByStdio } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Readable } from 'node:stream';
import { onAbort } from '../core/on-abort.ts';

export interface RunResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Run {
  /** Rejects with the spawn error (`ENOENT`, ...) or the signal's reason; the program is killed then. */
  run(
    argv: readonly [string, ...string[]],
    options: { readonly signal: AbortSignal; readonly maxBytes?: number },
  ): Promise<RunResult>;
}

/** `env`: what the programs inherit; messages are asked for in English. */
export const openRun = (env: Readonly<Record<string, string | undefined>>): Run => ({
  async run(argv, options) {
    options.signal.throwIfAborted();
    const { spawn } = await import('node:child_process'); // most commands run none
    return ended(
      spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...env, LC_ALL: 'C' } }),
      options,
    );
  },
});

type Options = Parameters<Run['run']>[1];

function ended(
  child: ChildProcessByStdio<null, Readable, Readable>,
  { signal, maxBytes = 4 * 2 ** 20 }: Options,
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const out = { stdout: '', stderr: '' };
    const stop = () => {
      child.kill('SIGKILL');
      // A child in uninterruptible sleep never closes: do not wait for it, and do not let it hold the process.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      reject(signal.reason);
    };
    const forget = onAbort(signal, stop);
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => {
        if (out[name].length < maxBytes) out[name] += text;
      });
    }
    child.on('error', (error) => {
      forget();
      reject(error);
    });
    child.on('close', (code) => {
      forget();
      resolve({ code, ...out });
    });
    if (signal.aborted) stop();
  });
}

/** Whether one could run it: an executable file of that name on the PATH. */
export function onPath(program: string, env: Readonly<Record<string, string | undefined>>): boolean {
  return (env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(`${folder || '.'}/${program}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
