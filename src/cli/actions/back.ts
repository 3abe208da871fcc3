/** `gpumod back` */
import * as app from '../../app/back.ts';
import type { Action } from '../action.ts';
import { EXIT, exitCodeOfResult } from '../exit-code.ts';
import { flag, transactionOptions } from '../options.ts';
import { withHost, withLock } from './with-host.ts';

export const back: Action = async (call) => {
  const { view, parts } = call;
  const cold = flag(call, 'cold');
  if (flag(call, 'dryRun'))
    return withHost(call, async (host, manifest) => {
      await view.plan(await app.planBack(manifest, { cold, stop: parts.stop }, host, view.event), manifest);
      return EXIT.ok;
    });
  const nothing = () => undefined; // what there is to go back to is known under the lock
  return withLock(call, nothing, async (host, manifest) => {
    const options = { ...transactionOptions(call, manifest), cold };
    const result = await app.back(manifest, options, host, view.event);
    await view.switched(result);
    return exitCodeOfResult(result);
  });
};
