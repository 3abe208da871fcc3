/** One card of a reading. Pure. */
import type { GpuFacts, GpuReading } from './facts.ts';

/** Undefined where nothing is measured, or the tool knows no such card. */
export function cardOf(reading: GpuReading, index: number): GpuFacts | undefined {
  return reading.kind === 'measured' ? reading.gpus.find((card) => card.index === index) : undefined;
}
