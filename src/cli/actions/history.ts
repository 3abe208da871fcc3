/** `gpumod history`, `gpumod explain`: read from the disk; works without manifest, systemd and engines. */
import { findRecorded, type Recorded, recordedSwitches } from '../../app/history.ts';
import type { Action, Call } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { positive } from '../options.ts';

const DEFAULT_COUNT = 20;

export const history: Action = async (call) => {
  const count = Math.max(1, Math.round(positive(call, 'count') ?? DEFAULT_COUNT));
  await call.view.history((await recorded(call)).slice(-count));
  return EXIT.ok;
};

export const explain: Action = async (call) => {
  call.view.explain(findRecorded(await recorded(call), call.args[0]));
  return EXIT.ok;
};

async function recorded({ parts }: Call): Promise<readonly Recorded[]> {
  const host = await parts.openHost('cold');
  try {
    return await recordedSwitches(host);
  } finally {
    await host.close();
  }
}
