/** The memory of simulated GPUs: who holds what, and who disturbed whom while something delicate ran. */

/** Something that takes a while and minds its neighbours: vLLM's cold start, its sleep and wake, a plain model load. */
export type WindowKind = 'start' | 'sleep' | 'wake' | 'load';

/** What another process did on one of the window's GPUs while the window was open. */
export interface Disturbance {
  readonly kind: 'grew' | 'shrank' | WindowKind;
  readonly gpu: number;
  /** 0 = memory of a process that is gone already. */
  readonly byPid: number;
}

export interface CardGpu {
  readonly index: number;
  readonly totalBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
}

export interface CardHolder {
  readonly gpu: number;
  readonly pid: number;
  readonly usedBytes: number;
}

export interface CardReading {
  readonly gpus: readonly CardGpu[];
  readonly holders: readonly CardHolder[];
}

export interface Granted {
  readonly granted: boolean;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface Ledger {
  /** A process comes; returns its number. */
  enter(pid: number): number;
  /** The process is gone: what it held comes back after `releaseDelayMs`. */
  leave(session: number): void;
  alloc(session: number, gpu: number, bytes: number): Granted;
  /** Throws when it frees more than it holds: a fault of the simulation. Comes back after `freeLagMs`. */
  free(session: number, gpu: number, bytes: number): void;
  /** Opens a window on some GPUs; returns its number. */
  begin(session: number, kind: WindowKind, gpus: readonly number[]): number;
  /** Closes it, and tells what others did meanwhile. */
  end(window: number): readonly Disturbance[];
  read(): CardReading;
}

export interface LedgerOptions {
  readonly gpus: readonly { readonly totalBytes: number; readonly baseUsedBytes?: number }[];
  /** A killed process's memory is still taken for so long. */
  readonly releaseDelayMs: number;
  /** Freed memory shows up late by so much. */
  readonly freeLagMs: number;
  /** Calls back once after `ms`. */
  readonly later: (ms: number, then: () => void) => void;
}

interface Window {
  readonly session: number;
  readonly kind: WindowKind;
  readonly gpus: readonly number[];
  readonly seen: Disturbance[];
}

export function createLedger({ gpus, releaseDelayMs, freeLagMs, later }: LedgerOptions): Ledger {
  const used = gpus.map((gpu) => gpu.baseUsedBytes ?? 0);
  const sessions = new Map<number, { readonly pid: number; readonly held: number[] }>();
  const windows = new Map<number, Window>();
  let numbers = 0;

  const totalOf = (gpu: number): number => {
    const total = gpus[gpu]?.totalBytes;
    if (total === undefined) throw new RangeError(`no GPU ${gpu}`);
    return total;
  };
  const sessionOf = (session: number) => {
    const found = sessions.get(session);
    if (!found) throw new RangeError(`no session ${session}`);
    return found;
  };
  /** Tells every window on this GPU that is not the session's own. */
  const tell = (session: number, seen: Disturbance) => {
    for (const window of windows.values())
      if (window.session !== session && window.gpus.includes(seen.gpu)) window.seen.push(seen);
  };
  const change = (session: number, gpu: number, bytes: number) => {
    if (bytes === 0) return;
    used[gpu] = (used[gpu] ?? 0) + bytes;
    tell(session, { kind: bytes > 0 ? 'grew' : 'shrank', gpu, byPid: sessions.get(session)?.pid ?? 0 });
  };
  const giveBack = (session: number, gpu: number, bytes: number, ms: number) => {
    if (ms === 0) change(session, gpu, -bytes);
    else later(ms, () => change(session, gpu, -bytes));
  };

  return {
    enter(pid) {
      numbers += 1;
      sessions.set(numbers, { pid, held: gpus.map(() => 0) });
      return numbers;
    },
    leave(session) {
      const gone = sessions.get(session);
      sessions.delete(session);
      for (const [number, window] of windows) if (window.session === session) windows.delete(number);
      gone?.held.forEach((bytes, gpu) => {
        giveBack(session, gpu, bytes, releaseDelayMs);
      });
    },
    alloc(session, gpu, bytes) {
      const { held } = sessionOf(session);
      const totalBytes = totalOf(gpu);
      const freeBytes = totalBytes - (used[gpu] ?? 0);
      if (bytes > freeBytes) return { granted: false, freeBytes, totalBytes };
      held[gpu] = (held[gpu] ?? 0) + bytes;
      change(session, gpu, bytes);
      return { granted: true, freeBytes: freeBytes - bytes, totalBytes };
    },
    free(session, gpu, bytes) {
      const { held } = sessionOf(session);
      const has = held[gpu] ?? 0;
      if (bytes > has) throw new RangeError(`frees ${bytes} of ${has} bytes on GPU ${gpu}`);
      held[gpu] = has - bytes;
      giveBack(session, gpu, bytes, freeLagMs);
    },
    begin(session, kind, on) {
      const { pid } = sessionOf(session);
      for (const gpu of on) totalOf(gpu);
      const seen: Disturbance[] = [];
      for (const other of windows.values()) {
        const gpu = other.session === session ? undefined : other.gpus.find((index) => on.includes(index));
        if (gpu === undefined) continue;
        seen.push({ kind: other.kind, gpu, byPid: sessions.get(other.session)?.pid ?? 0 });
        other.seen.push({ kind, gpu, byPid: pid });
      }
      numbers += 1;
      windows.set(numbers, { session, kind, gpus: on, seen });
      return numbers;
    },
    end(window) {
      const seen = windows.get(window)?.seen ?? [];
      windows.delete(window);
      return seen;
    },
    read: () => ({
      gpus: gpus.map(({ totalBytes }, index) => {
        const usedBytes = used[index] ?? 0;
        return { index, totalBytes, usedBytes, freeBytes: totalBytes - usedBytes };
      }),
      holders: [...sessions.values()].flatMap(({ pid, held }) =>
        held.flatMap((usedBytes, gpu) => (usedBytes > 0 ? [{ gpu, pid, usedBytes }] : [])),
      ),
    }),
  };
}
