/** The shipped schema is the one that the code makes (`npx vitest run test/unit/manifest/json-schema.test.ts -u` writes it). */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is how a manifest names a variable
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { manifestJsonSchema } from '../../../src/manifest/json-schema.ts';
import { filesBelow, textOf } from '../../kit/source.ts';

it('modes/gpumod.schema.json is up to date', async () => {
  const text = `${JSON.stringify(manifestJsonSchema(), null, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '../../../modes/gpumod.schema.json'));
});

it('the shipped manifests name it in their first line, as seen from their own folder', () => {
  const files = filesBelow('modes', ['.yaml']);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const [, path = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(textOf(file)) ?? [];
    expect(join(dirname(file), path)).toBe('modes/gpumod.schema.json');
  }
  expect(JSON.parse(textOf('package.json')).files).toContain('modes');
});

it('lets editors take ${NAME} wherever a text may stand, and offers no reserved key', () => {
  const schema = manifestJsonSchema() as { properties: { gpus: { properties: { reserve: { pattern: string } } } } };
  const size = new RegExp(schema.properties.gpus.properties.reserve.pattern);
  expect(['512MiB', '1.5 GB', '${RESERVE}'].filter((text) => size.test(text))).toHaveLength(3);
  expect(['512', '512 mib', 'much'].filter((text) => size.test(text))).toEqual([]);
  expect(Object.keys(schema.properties)).toEqual(['version', 'defaults', 'gpus', 'host', 'services', 'modes']);
});
