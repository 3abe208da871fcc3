/** Who moves memory of a card while a step waits for it to come to rest: by the processes that the GPU tool tells of. */
import type { GpuProcess, GpuReading } from '../core/facts.ts';
import { tells } from './shares.ts';

export interface Mover {
  readonly holder: GpuProcess;
  /** Between the least and the most that it held. */
  readonly movedBytes: number;
}

export interface Movers {
  see(reading: GpuReading): void;
  /** Of those who moved more than this: the one who moved most comes first. */
  on(gpu: number, bytes: number): readonly Mover[];
}

interface Range {
  readonly holder: GpuProcess;
  readonly least: number;
  readonly most: number;
}

export function watchMovers(): Movers {
  const ranges = new Map<string, Range>();
  let isFirst = true;
  const keyOf = ({ pid, gpu }: GpuProcess) => `${pid} ${gpu}`;
  return {
    see(reading) {
      if (!tells(reading)) return;
      const now = new Map(reading.processes.map((holder) => [keyOf(holder), holder]));
      for (const [key, holder] of now) {
        const bytes = holder.bytes ?? 0;
        const { least, most } = ranges.get(key) ?? { least: isFirst ? bytes : 0, most: bytes };
        ranges.set(key, { holder, least: Math.min(least, bytes), most: Math.max(most, bytes) });
      }
      for (const [key, range] of ranges) if (!now.has(key)) ranges.set(key, { ...range, least: 0 });
      isFirst = false;
    },
    on: (gpu, bytes) =>
      [...ranges.values()]
        .map(({ holder, least, most }): Mover => ({ holder, movedBytes: most - least }))
        .filter(({ holder, movedBytes }) => holder.gpu === gpu && movedBytes > bytes)
        .sort((a, b) => b.movedBytes - a.movedBytes),
  };
}
