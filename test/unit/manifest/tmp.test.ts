import { writeFileSync } from 'node:fs';
import { it } from 'vitest';
import { systemFiles } from '../../../src/io/files.ts';
import { manifestJsonSchema } from '../../../src/manifest/json-schema.ts';
import { loadManifest } from '../../../src/manifest/load.ts';
it('x', async () => {
  const t0 = performance.now();
  const m = await loadManifest({ path: 'modes/workstation.yaml', env: {}, home: '/h', files: systemFiles });
  const t1 = performance.now();
  await loadManifest({ path: 'modes/workstation.yaml', env: {}, home: '/h', files: systemFiles });
  console.log(t1 - t0, performance.now() - t1);
  console.log(JSON.stringify([...m.services.values()], null, 1), [...m.modes]);
  writeFileSync('/tmp/s.json', JSON.stringify(manifestJsonSchema(), null, 2));
});
