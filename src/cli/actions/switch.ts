/** `gpumod mode switch`, `switch`, `off` */
import { findMode } from '../../app/find.ts';
import * as app from '../../app/switch-mode.ts';
import { OFF } from '../../core/model.ts';
import type { Action, Call } from '../action.ts';
import { exitCodeOfResult } from '../exit-code.ts';
import { flag, transactionOptions } from '../options.ts';
import { plan } from './plan.ts';
import { withHost } from './with-host.ts';

export const switchMode: Action = (call) => (flag(call, 'dryRun') ? plan(call) : switchTo(call, call.args[0] ?? ''));

export const switchOff: Action = (call) => switchMode({ ...call, args: [OFF.name] });

function switchTo(call: Call, name: string): Promise<number> {
  return withHost(call, async (host, manifest) => {
    findMode(manifest, name);
    const options = { ...transactionOptions(call, manifest), cold: flag(call, 'cold') };
    const result = await app.switchMode(manifest, name, options, host, call.view.event);
    await call.view.switched(result, manifest);
    return exitCodeOfResult(result);
  });
}
