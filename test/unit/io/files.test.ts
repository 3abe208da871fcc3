/** The real disk behind `Files`. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemFiles } from '../../../src/io/files.ts';

const dir = mkdtempSync(join(tmpdir(), 'gpumod-files-'));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string) => join(dir, name);

/** How a call fails. */
const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no failure',
    (error: { kind?: string }) => error.kind,
  );

describe('files', () => {
  it('are read whole, up to a limit', async () => {
    writeFileSync(at('a'), '\ufeffgr\u00fc\u00df');
    expect(await systemFiles.read(at('a'), 100)).toBe('gr\u00fc\u00df');
    expect(await systemFiles.read(at('a'), 9)).toBe('gr\u00fc\u00df');
    expect(await failure(systemFiles.read(at('a'), 8))).toBe('too-large');
    expect(await failure(systemFiles.read('/dev/zero', 1000))).toBe('too-large');
    writeFileSync(at('bytes'), Buffer.from([0xff, 0xfe, 0x41, 0x00]));
    expect(await failure(systemFiles.read(at('bytes'), 100))).toBe('not-text');
    expect(await failure(systemFiles.read(at('none'), 100))).toBe('missing');
    expect(await failure(systemFiles.read(join(at('a'), 'x'), 100))).toBe('missing');
    expect(await failure(systemFiles.read(dir, 100))).toBe('is-folder');
  });

  it('are told from folders and other things', async () => {
    mkdirSync(at('folder'));
    symlinkSync(at('folder'), at('link'));
    symlinkSync(at('none'), at('dangling'));
    expect(await systemFiles.kind(at('folder'))).toBe('folder');
    expect(await systemFiles.kind(at('link'))).toBe('folder');
    expect(await systemFiles.kind(at('dangling'))).toBeUndefined();
    expect(await systemFiles.kind('/dev/null')).toBe('other');
    for (const name of ['b', '10', 'a', 'B']) writeFileSync(join(at('folder'), name), '');
    expect(await systemFiles.list(at('folder'))).toEqual(['10', 'B', 'a', 'b']);
    expect(await failure(systemFiles.list(at('none')))).toBe('missing');
  });
});
