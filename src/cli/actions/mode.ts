/** `gpumod mode list|show|current|is-active` */
import { findMode } from '../../app/find.ts';
import { activeModes, type Status, status } from '../../app/status.ts';
import { requireActive } from '../../app/switch-mode.ts';
import type { Action, Call } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { manifestOf } from '../options.ts';
import { withHost } from './with-host.ts';

const looking =
  (work: (call: Call, now: Status) => Promise<void> | void): Action =>
  (call) =>
    withHost(call, async (host, manifest) => {
      await work(call, await status(manifest, host, call.parts.stop));
      return EXIT.ok;
    });

export const list = looking((call, now) => call.view.modes(now));

export const current = looking((call, now) => call.view.current(now));

export const isActive: Action = async (call) => {
  const name = call.args[0] ?? '';
  findMode(await manifestOf(call), name);
  return looking((_, now) => requireActive(name, activeModes(now)))(call);
};

/** Needs the manifest only: works where systemd is out of reach. */
export const show: Action = async (call) => {
  const manifest = await manifestOf(call);
  await call.view.mode(findMode(manifest, call.args[0] ?? ''), manifest);
  return EXIT.ok;
};
