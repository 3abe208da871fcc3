/** `gpumod status` */
import * as app from '../../app/status.ts';
import type { Action } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { opened } from './with-host.ts';

export const status: Action = (call) =>
  opened(call, async (host, manifest) => {
    await call.view.status(await app.status(manifest, host, call.parts.stop, 'processes'));
    return EXIT.ok;
  });
