/** Waiting for what is on its way without us: nothing is done to it, and however it ends it is none of ours. */
import { GpumodError } from '../core/errors.ts';
import type { Service } from '../core/model.ts';
import type { Step } from '../core/plan.ts';
import type { StateKind } from '../core/state.ts';
import { NotBegun } from './admit.ts';
import { type Context, within } from './context.ts';
import { isEnding } from './late.ts';
import { lookAt } from './look.ts';

const POLL_MS = 250;
const UNSETTLED: readonly StateKind[] = ['starting', 'waking', 'stopping'];

export function isUnderWay({ because }: Step): boolean {
  return because.code === 'under-way';
}

/** Throws `timed-out` when it is still on its way after the time it has for that, and `NotBegun` once the switch has ended. */
export async function settled(context: Context, step: Step, service: Service): Promise<void> {
  const { clock } = context.host;
  const stops = isEnding(step);
  const afterMs = stops ? service.timeouts.stopMs : service.timeouts.startMs;
  const deadline = clock.ticksMs() + afterMs;
  for (;;) {
    const { state } = await lookAt(context.host, service, within(service.timeouts.probeMs + afterMs, context));
    if (!UNSETTLED.includes(state.kind)) return;
    if (context.stop.aborted) throw new NotBegun();
    if (clock.ticksMs() >= deadline)
      throw new GpumodError('timed-out', { what: stops ? 'stop' : 'ready', afterMs, service: service.name });
    await clock.sleep(POLL_MS, context.signal);
  }
}
