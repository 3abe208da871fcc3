/** Runs a program in our place: our standard input, output and errors are its own, and so is our terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants as access, accessSync } from 'node:fs';
import { constants as system } from 'node:os';
import type { ProgramEnd } from '../core/program.ts';
import { onPath } from './run.ts';

export interface Program {
  /** Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  /** Passes a signal on; of no effect once it has ended. */
  tell(signal: NodeJS.Signals): void;
}

type Env = Readonly<Record<string, string | undefined>>;

/** `env`: all of its environment. */
export function startProgram([program, ...args]: readonly [string, ...string[]], env: Env): Program {
  let child: ChildProcess;
  try {
    // In our own process group: a Ctrl-C in the terminal reaches it without us.
    child = spawn(program, args, { stdio: 'inherit', env });
  } catch (error) {
    return { ended: Promise.resolve(notRun(reasonOf(error))), tell() {} }; // E2BIG
  }
  const ended = new Promise<ProgramEnd>((resolve) => {
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(notRun(reasonOf(error)));
    });
    child.on('exit', (code, signal) =>
      resolve(signal ? { code: 128 + system.signals[signal], signal } : { code: code ?? 1 }),
    );
  });
  return { ended, tell: (signal) => child.kill(signal) };
}

const notRun = (reason: string): ProgramEnd => ({ code: reason === 'ENOENT' ? 127 : 126, notRun: reason });
const reasonOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'failed';

/** What is known against a program before it is started: how it would end; undefined = nothing. */
export function obstacleTo(program: string, env: Env): ProgramEnd | undefined {
  if (!program.includes('/')) return onPath(program, env) ? undefined : notRun('ENOENT');
  try {
    accessSync(program, access.X_OK);
    return undefined;
  } catch (error) {
    return notRun(reasonOf(error));
  }
}

/**
 * Whether a Ctrl-C in the terminal reaches the process with this line in /proc/PID/stat, and all of its group; else a
 * SIGINT was sent to it alone.
 */
export function isInForeground(stat: string): boolean {
  // PID (COMM) STATE PPID PGRP SESSION TTY TPGID ...; COMM may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[2] !== undefined && fields[2] === fields[5];
}
