/** Unit files on a real disk: whole or not at all, and nothing of others is touched. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openUnitFiles } from '../../../src/io/unit-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gpumod-units-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const files = openUnitFiles((scope) => join(folder, scope));
const path = () => files.pathOf('a.service', 'user');

it('writes with the folders above, for all to read, and leaves no draft', async () => {
  await files.write(path(), 'text\n', true);
  expect(await files.read(path())).toBe('text\n');
  expect(statSync(path()).mode & 0o777 & ~0o022).toBe(0o644);
  expect(readdirSync(join(folder, 'user'))).toEqual(['a.service']);
});

it('replaces a file, but not one that was not expected', async () => {
  await files.write(path(), '1', true);
  await expect(files.write(path(), '2', true)).rejects.toMatchObject({ kind: 'denied' });
  expect(await files.read(path())).toBe('1');
  await files.write(path(), '2', false);
  expect(await files.read(path())).toBe('2');
  expect(readdirSync(join(folder, 'user'))).toEqual(['a.service']);
});

it('follows no link', async () => {
  await files.write(path(), '1', true);
  const target = join(folder, 'target');
  writeFileSync(target, 'theirs');
  const link = files.pathOf('b.service', 'user');
  symlinkSync(target, link);
  await expect(files.read(link)).rejects.toMatchObject({ kind: 'denied', message: 'it is a link' });
  await expect(files.write(link, 'ours', true)).rejects.toMatchObject({ kind: 'denied' });
  expect(readFileSync(target, 'utf8')).toBe('theirs');
});

it('tells a missing file, and makes nothing to read one', async () => {
  expect(await files.read(path())).toBeUndefined();
  expect(existsSync(join(folder, 'user'))).toBe(false);
});
