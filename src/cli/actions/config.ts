/** `gpumod config ...`: about the manifest only; works without systemd. */
import type { Manifest } from '../../core/model.ts';
import type { Action } from '../action.ts';
import { EXIT } from '../exit-code.ts';
import { manifestOf } from '../options.ts';

export const check: Action = async (call) => {
  const manifest = await manifestOf(call);
  const counts = `${manifest.services.size} services, ${manifest.modes.size} modes`;
  call.view.data(
    { ok: true, files: manifest.files, services: manifest.services.size, modes: manifest.modes.size },
    `ok: ${counts} in ${manifest.files.join(', ')}`,
  );
  return EXIT.ok;
};

export const path: Action = async (call) => {
  const { files } = await manifestOf(call);
  call.view.data({ files }, files.join('\n'));
  return EXIT.ok;
};

export const schema: Action = async (call) => {
  const document = await call.parts.manifestSchema();
  call.parts.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  return EXIT.ok;
};

export const show: Action = async (call) => {
  const document = plainData(await manifestOf(call));
  call.view.data(document, JSON.stringify(document, null, 2));
  return EXIT.ok;
};

function plainData(manifest: Manifest): object {
  return {
    ...manifest,
    services: Object.fromEntries(manifest.services),
    modes: Object.fromEntries(manifest.modes),
  };
}
