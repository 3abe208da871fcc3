/** Opens the machine for one action and closes it again, whatever happens. */

import type { Host } from '../../app/host.ts';
import type { Manifest } from '../../core/model.ts';
import type { Call } from '../action.ts';
import { manifestOf } from '../options.ts';

export async function withHost<T>(call: Call, work: (host: Host, manifest: Manifest) => Promise<T>): Promise<T> {
  const host = await call.parts.openHost();
  try {
    return await work(host, await manifestOf(call));
  } finally {
    await host.close();
  }
}
