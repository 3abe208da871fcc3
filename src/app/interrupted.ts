/** A switch whose process died: the next command tells of it, and the next switch goes on from what it observes. */
import { asInterrupted, type Underway } from '../core/record.ts';
import type { Host } from '../execute/host.ts';

/** Undefined when nothing is known to have been interrupted. Never throws. */
export async function interruptedSwitch(host: Pick<Host, 'switchJournal'>): Promise<Underway | undefined> {
  const found = await host.switchJournal.read();
  return found && !found.isAtWork ? found.entry : undefined;
}

/** By who holds the lock: it is history now. Never throws. */
export async function fileInterrupted(host: Pick<Host, 'switchJournal' | 'history'>): Promise<Underway | undefined> {
  const entry = await interruptedSwitch(host);
  if (!entry) return undefined;
  // On a full disk it stays where it is: it tells what was there before.
  await host.history.append(asInterrupted(entry)).then(
    () => host.switchJournal.clear(),
    () => {},
  );
  return entry;
}
