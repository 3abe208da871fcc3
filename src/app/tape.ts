/** What a switch's calls were answered, and what the cards held meanwhile: thinned, so that a long switch stays short. */
import type { Heard } from '../core/calls.ts';
import type { GpuReading } from '../core/facts.ts';
import type { Manifest } from '../core/model.ts';
import type { MemorySample, RecordedCall } from '../core/record.ts';

const MOST_CALLS = 200;
const MOST_SAMPLES = 500;
/** A card that moved less than this share, within this time, tells nothing new. */
const SHARE = 0.01;
const SOON_SECONDS = 1;

export interface Tape {
  readonly calls: readonly RecordedCall[];
  readonly memory: readonly MemorySample[];
  call(heard: Heard): void;
  sample(atSeconds: number, reading: GpuReading): void;
}

/** `beganMs`: by the clock of the calls, when the switch began. */
export function openTape({ services }: Pick<Manifest, 'services'>, beganMs: number): Tape {
  const byUnit = new Map([...services.values()].map(({ unit, name }) => [unit, name]));
  const calls: RecordedCall[] = [];
  let memory: MemorySample[] = [];
  return {
    calls,
    get memory() {
      return memory;
    },
    call({ service, unit = '', beganMs: fromMs, endedMs, call, answer }) {
      const atSeconds = (fromMs - beganMs) / 1000;
      const of = service ?? byUnit.get(unit) ?? unit;
      const i = calls.findLastIndex((one) => one.service === of);
      const last = calls[i];
      // A poll or another try is one line.
      if (last?.call === call && last.answer === answer) {
        const seconds = (endedMs - beganMs) / 1000 - last.atSeconds;
        calls[i] = { ...last, seconds, times: (last.times ?? 1) + 1 };
        return;
      }
      calls.push({ atSeconds, seconds: (endedMs - fromMs) / 1000, service: of, call, answer });
      // What began it and what ended it tell most.
      if (calls.length > MOST_CALLS) calls.splice(MOST_CALLS / 2, 1);
    },
    sample(atSeconds, reading) {
      if (reading.kind !== 'measured' || reading.gpus.length === 0) return;
      const usedBytes = Object.fromEntries(reading.gpus.map(({ index, usedBytes }) => [String(index), usedBytes]));
      const sample = { atSeconds, usedBytes };
      const last = memory.at(-1);
      if (last && atSeconds - last.atSeconds < SOON_SECONDS && isNear(last, sample)) return;
      memory.push(sample);
      if (memory.length > MOST_SAMPLES) memory = memory.filter((_, i) => i % 2 === 0 || i === memory.length - 1);
    },
  };
}

function isNear(one: MemorySample, other: MemorySample): boolean {
  return Object.entries(other.usedBytes).every(([gpu, now]) => {
    const before = one.usedBytes[gpu];
    if (now === null || before == null) return now === before;
    return Math.abs(now - before) <= SHARE * Math.max(now, before);
  });
}
