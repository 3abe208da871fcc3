/** Runs a program to its end: argument vector, no shell, a deadline, capped output. */
import { spawn } from 'node:child_process';

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
  run: ([file, ...args], { signal, maxBytes = 4 * 2 ** 20 }) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...env, LC_ALL: 'C' } });
      const out = { stdout: '', stderr: '' };
      const stop = () => {
        child.kill('SIGKILL');
        // A child in uninterruptible sleep never closes: do not wait for it, and do not let it hold the process.
        child.stdout.destroy();
        child.stderr.destroy();
        child.unref();
        reject(signal.reason);
      };
      signal.addEventListener('abort', stop, { once: true });
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8');
        child[name].on('data', (text: string) => {
          if (out[name].length < maxBytes) out[name] += text;
        });
      }
      child.on('error', (error) => {
        signal.removeEventListener('abort', stop);
        reject(error);
      });
      child.on('close', (code) => {
        signal.removeEventListener('abort', stop);
        resolve({ code, ...out });
      });
    }),
});
