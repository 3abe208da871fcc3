/** What a step cost while engine and unit were at work: time, and the most memory that its service held. */
import type { GpuReading } from '../core/facts.ts';
import { RELEASES, type Step } from '../core/plan.ts';
import { type Context, READ_MS } from './context.ts';
import { sharesOn, tells } from './shares.ts';

/** Between two looks at the card. A load takes its most for seconds. */
const SAMPLE_MS = 1_000;

export interface Stopwatch {
  during(work: Promise<void>): Promise<void>;
  ms(): number;
  /** On one GPU, the latest reading included; undefined where the tool does not tell, and of releases. */
  peakBytes(): number | undefined;
}

export function stopwatch(context: Context, step: Step): Stopwatch {
  const { gauge, host } = context;
  const watches = !RELEASES.has(step.kind) && step.gpus.length > 0 && tells(gauge.told);
  let total = 0;
  let peak: number | undefined;
  const see = (reading: GpuReading | undefined) => {
    if (!tells(reading)) return;
    for (const gpu of step.gpus) {
      const own = sharesOn(context, reading, step.service, gpu)?.own;
      if (own !== undefined) peak = Math.max(peak ?? 0, own);
    }
  };
  const sample = async (over: AbortSignal) => {
    for (;;) {
      await host.clock.sleep(SAMPLE_MS, over);
      const reading = await host.telemetry.read(host.clock.deadline(READ_MS, over), 'processes');
      gauge.seen(reading);
      see(reading);
    }
  };
  return {
    async during(work) {
      const began = host.clock.ticksMs();
      const over = new AbortController();
      if (watches) sample(over.signal).catch(() => {}); // it ends with the work
      try {
        await work;
      } finally {
        over.abort();
        total += host.clock.ticksMs() - began;
      }
    },
    ms: () => total,
    peakBytes() {
      if (watches) see(gauge.told);
      return peak;
    },
  };
}
