/** systemd's own proxy from a socket to a server that is started when somebody connects. */
import type { Clock } from '../io/clock.ts';
import type { Run } from '../io/run.ts';

export interface Proxyd {
  readonly path: string;
  /** Of systemd: 252; undefined where it does not tell. */
  readonly version: number | undefined;
}

/** Where distributions put it. */
export const PROXYD_PATHS: readonly string[] = [
  '/usr/lib/systemd/systemd-socket-proxyd',
  '/lib/systemd/systemd-socket-proxyd',
  '/run/current-system/sw/lib/systemd/systemd-socket-proxyd', // NixOS
];

const VERSION_MS = 5_000;

/** Undefined: there is none. Throws the signal's reason. */
export async function findProxyd(run: Run, clock: Clock, signal: AbortSignal): Promise<Proxyd | undefined> {
  for (const path of PROXYD_PATHS) {
    const told = await run
      .run([path, '--version'], { signal: clock.deadline(VERSION_MS, signal) })
      .catch(() => undefined);
    signal.throwIfAborted();
    const [, version] = /^systemd (\d+)/.exec(told?.stdout ?? '') ?? [];
    if (told) return { path, version: version === undefined ? undefined : Number(version) };
  }
  return undefined;
}
