/** `gpumod mode plan` */
import { findMode } from '../../app/find.ts';
import { planMode } from '../../app/plan-mode.ts';
import type { Action } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { flag } from '../options.ts';
import { withHost } from './with-host.ts';

export const plan: Action = (call) =>
  withHost(call, async (host, manifest) => {
    const mode = findMode(manifest, call.args[0] ?? '');
    const planned = await planMode(manifest, mode.name, { cold: flag(call, 'cold') }, host, call.parts.stop);
    await call.view.plan(planned, manifest);
    return flag(call, 'exitCode') && planned.plan.steps.length > 0 ? EXIT.notInState : EXIT.ok;
  });
