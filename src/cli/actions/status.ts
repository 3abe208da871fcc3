/** `gpumod status` */
import * as app from '../../app/status.ts';
import type { Action } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { formatOf } from '../view/open.ts';
import { promText } from '../view/prom.ts';
import { withHost } from './with-host.ts';

export const status: Action = (call) =>
  withHost(call, async (host, manifest) => {
    const now = await app.status(manifest, host, call.parts.stop, 'processes');
    if (formatOf(call.options) === 'prom') call.parts.stdout.write(promText(now, await host.history.read()));
    else await call.view.status(now);
    return EXIT.ok;
  });
