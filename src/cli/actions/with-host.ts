/** Opens the machine for one action and closes it again, whatever happens. */

import { exclusively } from '../../app/exclusive.ts';
import type { Host } from '../../app/host.ts';
import { interruptedSwitch } from '../../app/interrupted.ts';
import type { Manifest } from '../../core/model.ts';
import type { Call } from '../action.ts';
import { durationMs, manifestOf } from '../options.ts';

/** For what changes nothing: it is never in anybody's way. Tells first of a switch whose process died. */
export function withHost<T>(call: Call, work: (host: Host, manifest: Manifest) => Promise<T>): Promise<T> {
  return opened(call, async (host, manifest) => {
    const entry = await interruptedSwitch(host);
    if (entry) call.view.event({ type: 'interrupted', entry });
    return work(host, manifest);
  });
}

/** For what changes something: one at a time. What `check` throws is said without waiting for others. */
export function withLock<C, T>(
  call: Call,
  check: (manifest: Manifest) => C,
  work: (host: Host, manifest: Manifest, checked: C) => Promise<T>,
): Promise<T> {
  const waitMs = durationMs(call, 'lockTimeout') ?? 0;
  const { command, parts, view } = call;
  return opened(call, async (host, manifest) => {
    const checked = check(manifest);
    const options = { command, waitMs, signal: parts.stop };
    return exclusively(host, options, view.event, () => work(host, manifest, checked));
  });
}

/** For what tells of such a switch itself. */
export async function opened<T>(call: Call, work: (host: Host, manifest: Manifest) => Promise<T>): Promise<T> {
  const host = await call.parts.openHost();
  try {
    return await work(host, await manifestOf(call));
  } finally {
    await host.close();
  }
}
