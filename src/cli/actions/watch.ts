/** `gpumod status --watch`: looks again and again, until it is ended. */
import type { Host } from '../../app/host.ts';
import type { Status } from '../../app/status.ts';
import { type AnyGpumodError, isGpumodError } from '../../core/errors.ts';
import { onAbort } from '../../core/on-abort.ts';
import type { Call } from '../action.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import type { Watch } from '../view/view.ts';

type Look = (signal: AbortSignal) => Promise<Status>;

const CTRL_C = '\u0003';

/** Its end is no failure: 0 for `q`, Ctrl-C at a page, and for who reads no further; a signal's own code for a signal. */
export async function watch(call: Call, everyMs: number, clock: Host['clock'], look: Look): Promise<number> {
  const { view, parts } = call;
  const over = new AbortController();
  const ends = [parts.stop, ...(parts.stdout.closed ? [parts.stdout.closed] : [])];
  const forget = ends.map((signal) => onAbort(signal, () => over.abort()));
  if (ends.some((signal) => signal.aborted)) over.abort();
  const page = view.watch?.(everyMs, parts.keys ? 'q' : 'Ctrl-C');
  const keys = page && parts.keys?.((key) => (key === 'q' || key === CTRL_C) && over.abort());
  try {
    await (page ? drawn(page, { everyMs, clock, look }, over) : printed(call, { everyMs, clock, look }, over.signal));
  } catch (error) {
    if (error !== over.signal.reason) throw error; // a bug
  } finally {
    page?.end();
    keys?.();
    for (const each of forget) each();
  }
  const { reason } = parts.stop;
  return parts.stop.aborted && isGpumodError(reason) ? exitCodeOf(reason) : EXIT.ok;
}

interface Work {
  readonly everyMs: number;
  readonly clock: Host['clock'];
  readonly look: Look;
}

/** Rejects when it is over, or with a bug. */
async function drawn(page: Watch, { everyMs, clock, look }: Work, over: AbortController): Promise<void> {
  let sinceMs: number | undefined;
  const ticking = async () => {
    for (;;) {
      page.tick(clock.nowMs(), sinceMs);
      await clock.sleep(1_000 - (clock.nowMs() % 1_000), over.signal);
    }
  };
  const looking = () =>
    again(everyMs, clock, over.signal, async () => {
      sinceMs = clock.nowMs();
      const told = await tried(look, over.signal);
      sinceMs = undefined;
      page.tick(clock.nowMs(), undefined);
      if ('error' in told) page.failed(told.error);
      else page.seen(told.status);
    });
  // Whichever ends, ends the other.
  const both = [ticking(), looking()].map((each) => each.finally(() => over.abort()));
  await Promise.all(both);
}

function printed({ view, parts, options }: Call, { everyMs, clock, look }: Work, signal: AbortSignal): Promise<void> {
  let isFirst = true;
  return again(everyMs, clock, signal, async () => {
    const told = await tried(look, signal);
    if ('error' in told) return view.error(told.error);
    if (!isFirst && options['output'] !== 'ndjson') parts.stdout.write('\n');
    isFirst = false;
    await view.status(told.status);
  });
}

/** `everyMs` from one beginning to the next, unless it takes longer. */
async function again(
  everyMs: number,
  clock: Host['clock'],
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  for (;;) {
    const beganMs = clock.ticksMs();
    await work();
    signal.throwIfAborted();
    await clock.sleep(Math.max(0, everyMs - (clock.ticksMs() - beganMs)), signal);
  }
}

/** A failed look is told, and is no end: the bus may come back. */
async function tried(
  look: Look,
  signal: AbortSignal,
): Promise<{ readonly status: Status } | { readonly error: AnyGpumodError }> {
  try {
    const status = await look(signal);
    signal.throwIfAborted(); // what a look that was cut short told is not what is there
    return { status };
  } catch (error) {
    signal.throwIfAborted();
    if (!isGpumodError(error)) throw error;
    return { error };
  }
}
