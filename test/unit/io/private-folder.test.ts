/** Nothing that another user could have put there is read, written through or followed. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPrivateFolder } from '../../../src/io/private-folder.ts';

const me = process.geteuid?.() ?? 0;
const OTHER = 12_345;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gpumod-private-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
const at = (...names: string[]) => join(dir, ...names);
const folder = (uid = me) => openPrivateFolder(at('own'), uid);
const modeOf = (path: string) => lstatSync(path).mode & 0o7777;

/** `KIND: MESSAGE` of a failure, paths in the test's folder shortened. */
const failure = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'no failure',
    ({ kind, message }: { kind?: string; message: string }) => `${kind}: ${message.replaceAll(dir, '')}`,
  );

describe('a folder of its own', () => {
  it('is made with the folders above it, for this user alone; nothing is made to read', async () => {
    const own = openPrivateFolder(at('new', 'deep', 'own'), me);
    expect(await failure(own.read('sub/a', 9))).toMatch(/^missing: .*sub\/a: ENOENT/);
    expect(existsSync(at('new'))).toBe(false);
    await own.write('sub/a', 'one');
    await own.write('sub/a', 'two');
    expect(await own.read('sub/a', 9)).toBe('two');
    for (const path of ['new', 'new/deep', 'new/deep/own', 'new/deep/own/sub']) expect(modeOf(at(path))).toBe(0o700);
    expect(modeOf(at('new/deep/own/sub/a'))).toBe(0o600);
    expect(readdirSync(at('new/deep/own/sub'))).toEqual(['a']);
  });

  it('takes lines, one after the other', async () => {
    await folder().append('log', 'one');
    await folder().append('log', 'two');
    expect(readFileSync(at('own/log'), 'utf8')).toBe('one\ntwo\n');
    expect(modeOf(at('own/log'))).toBe(0o600);
  });

  it('reads its lines from their end, whole ones only', async () => {
    await folder().write('log', 'one\ntw\u00f6\nthree\n');
    expect(await folder().tail('log', 100)).toBe('one\ntw\u00f6\nthree\n');
    expect(await folder().tail('log', 11)).toBe('tw\u00f6\nthree\n');
    expect(await folder().tail('log', 10)).toBe('three\n');
    expect(await folder().tail('log', 5)).toBe('');
    expect(await failure(folder().tail('none', 5))).toMatch(/^missing/);
    symlinkSync(at('own/log'), at('own/link'));
    expect(await failure(folder().tail('link', 100))).toMatch(/^denied/);
  });

  it('reads up to a limit, and only text', async () => {
    await folder().write('a', 'x'.repeat(10));
    expect(await failure(folder().read('a', 9))).toBe('too-large: /own/a: more than 9 bytes');
    writeFileSync(at('own/bytes'), Buffer.from([0xff, 0xfe]), { mode: 0o600 });
    expect(await failure(folder().read('bytes', 9))).toBe('not-text: /own/bytes: not UTF-8 text');
  });

  it('leaves nothing behind when it fails, and says where', async () => {
    await folder().write('a', 'x');
    mkdirSync(at('own/in-the-way'));
    expect(await failure(folder().write('in-the-way', 'x'))).toMatch(/^is-folder: \/own\/in-the-way: EISDIR/);
    expect(await failure(folder().prepare('services'))).toBe('no failure');
    expect(readdirSync(at('own')).sort()).toEqual(['a', 'in-the-way', 'services']);
    expect(readdirSync(at('own/services'))).toEqual([]);
    expect(await failure(openPrivateFolder('/proc/no-such', me).prepare(''))).toMatch(/^missing: \/proc\/no-such: E/);
  });

  it('that others could read is closed to them', async () => {
    mkdirSync(at('own'));
    chmodSync(at('own'), 0o755);
    await folder().write('a', 'x');
    expect(modeOf(at('own'))).toBe(0o700);
  });
});

/** Every way to use it. */
const uses = {
  read: () => folder().read('sub/a', 9),
  write: () => folder().write('sub/a', 'mine'),
  append: () => folder().append('sub/a', 'mine'),
  prepare: () => folder().prepare('sub'),
};

describe.each(Object.entries(uses))('to %s is refused', (verb, use) => {
  beforeEach(async () => {
    await folder().write('sub/a', 'old');
    mkdirSync(at('theirs'), { mode: 0o700 });
    writeFileSync(at('theirs/a'), 'theirs', { mode: 0o600 });
  });
  const untouched = () => {
    expect(readFileSync(at('theirs/a'), 'utf8')).toBe('theirs');
    expect(readdirSync(at('theirs'))).toEqual(['a']);
  };

  it.each(['own', 'own/sub'])('through a link in place of %s', async (path) => {
    rmSync(at(path), { recursive: true });
    symlinkSync(at('theirs'), at(path));
    expect(await failure(use())).toBe(`denied: /${path}: it is a link or no folder`);
    untouched();
  });

  it.each(['own', 'own/sub'])('where others can write to %s', async (path) => {
    for (const mode of [0o770, 0o702, 0o777, 0o1777]) {
      chmodSync(at(path), mode);
      expect(await failure(use())).toBe(`denied: /${path}: others can write to it`);
      expect(modeOf(at(path))).toBe(mode);
    }
  });

  it.skipIf(me !== 0).each(['own', 'own/sub'])('where %s is of another user', async (path) => {
    chownSync(at(path), OTHER, OTHER);
    expect(await failure(use())).toBe(`denied: /${path}: it belongs to user id ${OTHER}`);
    expect(readFileSync(at('own/sub/a'), 'utf8')).toBe('old');
  });

  if (verb === 'prepare') return;

  it('through a link in place of the file, where that is followed', async () => {
    rmSync(at('own/sub/a'));
    symlinkSync(at('theirs/a'), at('own/sub/a'));
    // A write puts its own file in the place of the link.
    expect(await failure(use())).toBe(verb === 'write' ? 'no failure' : 'denied: /own/sub/a: it is a link');
    untouched();
  });

  if (verb === 'write') return;

  it('of a file that others can write', async () => {
    chmodSync(at('own/sub/a'), 0o622);
    expect(await failure(use())).toBe('denied: /own/sub/a: others can write to it');
    expect(readFileSync(at('own/sub/a'), 'utf8')).toBe('old');
  });

  it.skipIf(me !== 0)('of a file of another user', async () => {
    chownSync(at('own/sub/a'), OTHER, OTHER);
    expect(await failure(use())).toBe(`denied: /own/sub/a: it belongs to user id ${OTHER}`);
  });
});

it('that belongs to another user is refused, whoever that is', async () => {
  await folder().write('a', 'x');
  expect(await failure(folder(me + 1).read('a', 9))).toBe(`denied: /own: it belongs to user id ${me}`);
});

describe('no folder is made', () => {
  it('where every user may put another in its place', async () => {
    mkdirSync(at('shared'));
    chmodSync(at('shared'), 0o777);
    const own = openPrivateFolder(at('shared/own'), me);
    expect(await failure(own.write('a', 'x'))).toBe('denied: /shared: every user can write to it');
    expect(readdirSync(at('shared'))).toEqual([]);
    chmodSync(at('shared'), 0o1777); // as /tmp: nobody takes away what is another's
    expect(await failure(own.write('a', 'x'))).toBe('no failure');
  });

  it.skipIf(me !== 0)("by root in another user's home", async () => {
    mkdirSync(at('home'), { mode: 0o700 });
    chownSync(at('home'), OTHER, OTHER);
    const own = openPrivateFolder(at('home/.local/state/gpumod'), me);
    expect(await failure(own.write('a', 'x'))).toBe(`denied: /home: it belongs to user id ${OTHER}`);
    expect(readdirSync(at('home'))).toEqual([]);
  });
});

it('enters no folder that takes its place while it works', async () => {
  const own = folder();
  await own.write('sub/a', 'old');
  mkdirSync(at('theirs/sub'), { recursive: true });
  const writing = own.write('sub/a', 'new');
  renameSync(at('own'), at('moved'));
  symlinkSync(at('theirs'), at('own'));
  await writing;
  expect(readdirSync(at('theirs/sub'))).toEqual([]);
  expect(readFileSync(at('moved/sub/a'), 'utf8')).toBe('new');
});
