/** `gpumod unit ...`: unit files from the manifest. */
import { findService } from '../../app/find.ts';
import * as app from '../../app/unit.ts';
import type { Action, Call } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { manifestOf } from '../options.ts';
import { installedDocument, installedText } from '../view/installed.ts';
import { withLock } from './with-host.ts';

const named = (call: Call): string => call.args[0] ?? '';

/** Asks nothing of the machine. */
export const render: Action = async (call) => {
  const { unit, scope, text } = app.renderUnit(findService(await manifestOf(call), named(call)));
  call.view.data({ unit, scope, text }, text);
  return EXIT.ok;
};

export const diff: Action = async (call) => {
  const wanted = app.renderUnit(findService(await manifestOf(call), named(call)));
  const found = await app.diffUnit(wanted, (await call.parts.openUnitTools()).files);
  call.view.data({ ...found, differs: found.diff !== '' }, found.diff || `${found.path} is as it would be written`);
  return found.diff === '' ? EXIT.ok : EXIT.notInState;
};

export const install: Action = (call) =>
  withLock(
    call,
    (manifest) => app.renderUnit(findService(manifest, named(call))),
    async (_, __, wanted) => {
      const installed = await app.installUnits([wanted], (await call.parts.openUnitTools()).files);
      call.view.data(installedDocument(installed), installedText(installed, `gpumod service start ${named(call)}`));
      return EXIT.ok;
    },
  );
