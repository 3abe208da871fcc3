/** The lock, taken on a real file: what others see of it, and what a damaged or foreign one does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileLocks } from '../../../src/io/file-lock.ts';
import { pathFacts } from '../../../src/io/path-facts.ts';
import { openPrivateFolder } from '../../../src/io/private-folder.ts';
import { systemProcesses } from '../../../src/io/processes.ts';
import { openLock, runtimeFolder, type SwitchLock } from '../../../src/state/lock.ts';

const never = new AbortController().signal;
const uid = process.getuid?.() ?? 0;
let top: string;
let folder: string;

beforeEach(async () => {
  top = await mkdtemp(`${tmpdir()}/lock-`);
  folder = `${top}/gpumod`;
});
afterEach(() => rm(top, { recursive: true, force: true }));

const open = (more: Partial<Parameters<typeof openLock>[0]> = {}): SwitchLock =>
  openLock({
    locks: openFileLocks(process.env),
    processes: systemProcesses,
    nowMs: Date.now,
    pid: process.pid,
    uid,
    folder: openPrivateFolder(folder, uid),
    ...more,
  });
const acquire = (lock: SwitchLock, waitMs = 0, signal = never) =>
  lock.acquire({ command: 'mode switch rag', waitMs, signal });
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

describe('one at a time', () => {
  it('is refused while another has it, who is named, and had when he let go', async () => {
    const [one, other] = [open(), open()];
    const held = await acquire(one);
    await expect(acquire(other)).rejects.toMatchObject({
      code: 'locked',
      details: { waitedMs: 0, by: { pid: process.pid, command: 'mode switch rag' } },
    });
    expect(await other.holder()).toMatchObject({ pid: process.pid, command: 'mode switch rag' });
    await held.release();
    expect(await other.holder()).toBeUndefined();
    await (await acquire(other)).release();
  });

  it('is waited for, as long as one will', async () => {
    const [one, other] = [open(), open()];
    const held = await acquire(one);
    expect(await codeOf(acquire(other, 50))).toBe('locked');
    const waiting = acquire(other, 60_000);
    await held.release();
    await (await waiting).release();
  });

  it('is at work since it has it, however long it waited', async () => {
    let nowMs = 1000;
    const [one, other] = [open(), open({ nowMs: () => nowMs })];
    const held = await acquire(one);
    const waiting = acquire(other, 60_000);
    nowMs = 9000;
    await held.release();
    const had = await waiting;
    expect(await one.holder()).toMatchObject({ sinceMs: 9000 });
    await had.release();
  });

  it('is no longer waited for after a Ctrl-C, and is not had then', async () => {
    const [one, other, third] = [open(), open(), open()];
    const held = await acquire(one);
    const stop = new AbortController();
    const waiting = codeOf(acquire(other, 60_000, stop.signal));
    stop.abort(Object.assign(new Error('stop'), { code: 'interrupted' }));
    expect(await waiting).toBe('interrupted');
    await held.release();
    await (await acquire(third)).release();
  });

  it('is dropped by the kernel when its holder is killed, and the file that he leaves blocks nobody', async () => {
    await (await acquire(open())).release(); // makes the file
    const holder = spawn('flock', ['--exclusive', `${folder}/lock`, 'sh', '-c', 'echo held; exec sleep 100'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    await once(holder.stdout, 'data');
    await expect(acquire(open())).rejects.toMatchObject({ code: 'locked' });
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
    await once(holder, 'close');
    await (await acquire(open(), 5_000)).release();
  });

  it('is the lock of what lies there now: a file that was deleted meanwhile is not', async () => {
    const held = await acquire(open());
    await rm(`${folder}/lock`);
    await (await acquire(open())).release();
    await held.release();
  });
});

describe('who has it', () => {
  it('is nobody when the one who wrote his name is gone', async () => {
    await mkdir(folder, { mode: 0o700 });
    const told = { pid: process.pid, life: 'other-boot/1/1', sinceMs: 1, command: 'mode switch rag' };
    await writeFile(`${folder}/lock`, JSON.stringify(told), { mode: 0o600 });
    expect(await open().holder()).toBeUndefined();
  });

  it.each(['', '{', '[]', '{"pid":"1"}', '\0\0\0', 'null'])(
    'can not be told from %j, and that blocks nobody',
    async (text) => {
      await mkdir(folder, { mode: 0o700 });
      await writeFile(`${folder}/lock`, text, { mode: 0o600 });
      expect(await open().holder()).toBeUndefined();
      await (await acquire(open())).release();
    },
  );
});

describe('files', () => {
  it('are for this user alone', async () => {
    const held = await acquire(open());
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(`${folder}/lock`)).mode & 0o777).toBe(0o600);
    expect(await readFile(`${folder}/lock`, 'utf8')).toContain('mode switch rag');
    await held.release();
    expect(await readFile(`${folder}/lock`, 'utf8')).toBe('');
  });

  it.each([
    [
      'a folder that others may write',
      async () => {
        await mkdir(folder);
        await chmod(folder, 0o777);
      },
    ],
    [
      'a folder that is a link',
      async () => {
        await mkdir(`${top}/elsewhere`, { mode: 0o700 });
        await symlink(`${top}/elsewhere`, folder);
      },
    ],
    [
      'a file that is a link',
      async () => {
        await mkdir(folder, { mode: 0o700 });
        await writeFile(`${top}/target`, 'precious');
        await symlink(`${top}/target`, `${folder}/lock`);
      },
    ],
    [
      'a file that others may write',
      async () => {
        await mkdir(folder, { mode: 0o700 });
        await writeFile(`${folder}/lock`, '');
        await chmod(`${folder}/lock`, 0o666);
      },
    ],
    [
      'a folder in place of the file',
      async () => {
        await mkdir(`${folder}/lock`, { recursive: true, mode: 0o700 });
      },
    ],
    [
      'no place at all',
      async () => {
        folder = '/proc/self/gpumod';
      },
    ],
  ])('%s is no lock', async (_, make) => {
    await make();
    expect(await codeOf(acquire(open()))).toBe('lock-unavailable');
    expect(await readFile(`${top}/target`, 'utf8').catch(() => 'precious')).toBe('precious');
  });

  it("is nobody else's", async () => {
    expect(await codeOf(acquire(open({ uid: uid + 1 })))).toBe('lock-unavailable');
    expect(await open().trouble()).toBeUndefined();
    expect(await open({ folder: openPrivateFolder(folder, uid + 1) }).trouble()).toMatchObject({
      code: 'runtime-folder',
    });
  });

  it('needs the program flock', async () => {
    const error = await acquire(open({ locks: openFileLocks({ PATH: '/nowhere' }) })).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'lock-unavailable', details: { reason: expect.stringContaining('flock') } });
  });
});

describe('the folder', () => {
  const of = (env: Record<string, string>, id: number, there: Record<string, number>) =>
    runtimeFolder(env, id, (path) => (path in there ? { uid: there[path] ?? 0, isSocket: false } : undefined));
  it.each([
    ['root, whatever sudo -E left', { XDG_RUNTIME_DIR: '/run/user/7' }, 0, { '/run/user/7': 7 }, '/run/gpumod'],
    ['a user at a terminal', { XDG_RUNTIME_DIR: '/run/user/7' }, 7, { '/run/user/7': 7 }, '/run/user/7/gpumod'],
    ['the same from cron', {}, 7, { '/run/user/7': 7 }, '/run/user/7/gpumod'],
    [
      "another user's session",
      { XDG_RUNTIME_DIR: '/run/user/7' },
      8,
      { '/run/user/7': 7, '/run/user/8': 8 },
      '/run/user/8/gpumod',
    ],
    ['nobody is logged in', {}, 7, {}, '/tmp/gpumod-7'],
    ['a relative one', { XDG_RUNTIME_DIR: 'run' }, 7, { run: 7 }, '/tmp/gpumod-7'],
  ] as const)('of %s', (_, env, id, there, expected) => expect(of({ ...env }, id, { ...there })).toBe(expected));
  it('is looked for on this machine', () => expect(runtimeFolder({}, uid, pathFacts)).toMatch(/gpumod/));
});
