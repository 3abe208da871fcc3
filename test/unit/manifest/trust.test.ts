/** A manifest that every user can write to is not followed where that gives them more than they have. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Manifest, Scope } from '../../../src/core/model.ts';
import { systemFiles } from '../../../src/io/files.ts';
import { trusted } from '../../../src/manifest/trust.ts';
import { manifest, vllm } from '../../fakes/build.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gpumod-trust-'));
  mkdirSync(join(dir, 'a/b'), { recursive: true, mode: 0o755 });
  writeFileSync(join(dir, 'a/b/m.yaml'), '', { mode: 0o644 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const ROOT = 0;
const USER = 1000;
const of = (scope: Scope, file = 'a/b/m.yaml'): Manifest => ({
  ...manifest([vllm('one'), vllm('two', { scope })], []),
  files: [join(dir, file)],
});
/** `fine`, `warned PATH`, or `CODE PATH BECAUSE`. */
const told = (asked: Manifest, uid: number): Promise<string> =>
  trusted(asked, systemFiles, uid).then(
    ({ openToAll }) => (openToAll === undefined ? 'fine' : `warned ${openToAll.replace(dir, '')}`),
    ({ code, details }) => `${code} ${details.path.replace(dir, '')} ${details.because}`,
  );

describe.each([
  ['the file', 'a/b/m.yaml', 0o646],
  ['its folder', 'a/b', 0o777],
  ['a folder above', 'a', 0o757],
])('where every user can write to %s', (_, path, mode) => {
  beforeEach(() => chmodSync(join(dir, path), mode));

  it('the manifest is refused to root and for the system’s units, and else warned about', async () => {
    expect(await told(of('user'), USER)).toBe(`warned /${path}`);
    expect(await told(of('user'), ROOT)).toBe(`manifest-open-to-all /${path} root`);
    expect(await told(of('system'), USER)).toBe(`manifest-open-to-all /${path} system-scope`);
  });

  it('also behind a link', async () => {
    symlinkSync(join(dir, 'a/b/m.yaml'), join(dir, 'link.yaml'));
    expect(await told(of('user', 'link.yaml'), USER)).toBe(`warned /${path}`);
  });
});

it('is fine where nobody else can write, and where a folder keeps to each what is theirs', async () => {
  expect(await told(of('system'), ROOT)).toBe('fine');
  chmodSync(join(dir, 'a'), 0o1777); // as /tmp
  expect(await told(of('system'), ROOT)).toBe('fine');
  chmodSync(join(dir, 'a/b/m.yaml'), 0o664); // a group is somebody's choice
  expect(await told(of('system'), ROOT)).toBe('fine');
});

it('a link in an open folder may lead elsewhere tomorrow', async () => {
  mkdirSync(join(dir, 'open'));
  chmodSync(join(dir, 'open'), 0o777);
  symlinkSync(join(dir, 'a/b/m.yaml'), join(dir, 'open/m.yaml'));
  expect(await told(of('user', 'open/m.yaml'), ROOT)).toBe('manifest-open-to-all /open root');
});
