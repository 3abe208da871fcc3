/** NVIDIA cards through `nvidia-smi` (driver >= 450; its output is documented as not guaranteed to stay the same). */
import type { GpuFacts, GpuReading } from '../core/facts.ts';
import { MIB } from '../core/units.ts';
import type { Clock } from '../io/clock.ts';
import type { Run } from '../io/run.ts';
import type { Telemetry } from './telemetry.ts';

/** It takes 20 to 500 ms when well; a driver in trouble makes it hang. */
const DEADLINE_MS = 5_000;

const FIELDS = ['index', 'uuid', 'name', 'memory.total', 'memory.used', 'memory.free'] as const;

/** `has`: whether a program of that name is on the PATH; asked first, because most of the cost of no tool is the try. */
export function openNvidia(run: Run, clock: Clock, has: (program: string) => boolean = () => true): Telemetry {
  let silent = false;
  return {
    async read(signal) {
      // A driver in trouble is not well again within one command: waiting anew at every step would make minutes of it.
      if (silent) return unmeasured('tool-silent', `${DEADLINE_MS / 1000} s`);
      if (!has('nvidia-smi')) return { kind: 'unmeasured', why: { code: 'no-tool' } };
      const deadline = clock.deadline(DEADLINE_MS, signal);
      try {
        const argv = ['nvidia-smi', `--query-gpu=${FIELDS.join(',')}`, '--format=csv,noheader,nounits'] as const;
        const { code, stdout, stderr } = await run.run([...argv], { signal: deadline });
        if (code !== 0) return unmeasured('tool-failed', stderr || stdout);
        return parseCards(stdout);
      } catch (error) {
        signal.throwIfAborted();
        silent = deadline.aborted;
        if (silent) return unmeasured('tool-silent', `${DEADLINE_MS / 1000} s`);
        return isNodeError(error) && error.code === 'ENOENT'
          ? { kind: 'unmeasured', why: { code: 'no-tool' } }
          : unmeasured('tool-failed', String(error));
      }
    },
  };
}

/** The answer to `--query-gpu`, one card a line, MiB; a cell that is no number (`[N/A]`, ...) is null, never 0. */
export function parseCards(text: string): GpuReading {
  const gpus: GpuFacts[] = [];
  for (const line of text.split('\n').filter((part) => part.trim() !== '')) {
    const cells = line.split(',').map((cell) => cell.trim());
    const [index, uuid] = cells;
    // From the end, so that a comma in the name shifts no number.
    const [total, used, free] = cells.slice(-3);
    if (index === undefined || uuid === undefined || !/^\d+$/.test(index) || cells.length < FIELDS.length)
      return unmeasured('not-understood', line);
    gpus.push({
      index: Number(index),
      uuid,
      name: cells.slice(2, -3).join(', '),
      totalBytes: mebibytes(total),
      usedBytes: mebibytes(used),
      freeBytes: mebibytes(free),
    });
  }
  return gpus.length > 0 ? { kind: 'measured', gpus } : unmeasured('not-understood', text);
}

function mebibytes(cell: string | undefined): number | null {
  return cell !== undefined && /^\d+(\.\d+)?$/.test(cell) ? Math.round(Number(cell) * MIB) : null;
}

function unmeasured(code: 'tool-failed' | 'tool-silent' | 'not-understood', detail: string): GpuReading {
  return { kind: 'unmeasured', why: { code, detail: detail.trim().split('\n')[0]?.slice(0, 200) ?? '' } };
}

function isNodeError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
