/** Files that are written once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { newFiles } from '../../../src/io/new-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'gpumod-new-'));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string) => join(dir, name);
const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no failure',
    (error: { kind?: string }) => error.kind,
  );

it('a new file is whole, for others to read, and leaves nothing beside it', async () => {
  await newFiles.create(at('new/folder/m.yaml'), 'one');
  expect(readFileSync(at('new/folder/m.yaml'), 'utf8')).toBe('one');
  expect(statSync(at('new/folder/m.yaml')).mode & 0o777).toBe(0o644);
  expect(readdirSync(at('new/folder'))).toEqual(['m.yaml']);
});

it('what has the name already stays, also a link that leads nowhere', async () => {
  symlinkSync('nowhere', at('link'));
  expect(await failure(newFiles.create(at('link'), 'two'))).toBe('exists');
  expect(await failure(newFiles.create(at('new/folder/m.yaml'), 'two'))).toBe('exists');
  expect(readFileSync(at('new/folder/m.yaml'), 'utf8')).toBe('one');
  expect(readdirSync(at('new/folder'))).toEqual(['m.yaml']);
});

it('where no file can be, it ends', async () => {
  expect(await failure(newFiles.create('/proc/none/m.yaml', 'x'))).toBe('missing');
});

it('sizes of files, and of nothing else', async () => {
  expect(await newFiles.size(at('new/folder/m.yaml'))).toBe(3);
  expect(await newFiles.size(at('new'))).toBeUndefined();
  expect(await failure(newFiles.size(at('none')))).toBe('missing');
});
