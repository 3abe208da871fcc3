/** `gpumod unit ...`, typed. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { UnitTools } from '../../../src/app/unit-tools.ts';
import { GpumodError } from '../../../src/core/errors.ts';
import type { Manifest } from '../../../src/core/model.ts';
import { FileFailure } from '../../../src/io/files.ts';
import { world } from '../../fakes/world.ts';
import { command, unitTools } from '../../kit/commands.ts';
import { load } from '../manifest/kit.ts';

const TEXT = `version: 1
services:
  chat: {engine: vllm, url: "http://127.0.0.1:7071", run: {model: Qwen/Qwen3-8B}}
  embed: {engine: vllm, url: "http://127.0.0.1:7072"}
`;
const FILE = '/user/chat.service';

let manifest: Manifest;
let contents: Record<string, string>;
beforeEach(async () => {
  manifest = await load(TEXT);
  contents = {};
});

async function typed(line: string, { tools = unitTools(contents), isLocked = false } = {}) {
  const here = world(manifest, {});
  const by = { pid: 1, life: 'a/1/1', sinceMs: 0, command: 'mode switch rag' };
  const lock = { ...here.host.lock, acquire: () => Promise.reject(new GpumodError('locked', { waitedMs: 0, by })) };
  return command(line.split(' '), { manifest, host: isLocked ? { ...here.host, lock } : here.host, tools });
}

const rendered = async () => (await typed('unit render chat')).stdout;

describe('unit render', () => {
  it('prints what an install writes', async () => {
    const { code, stdout } = await typed('unit render chat');
    expect(code).toBe(0);
    expect(stdout).toContain('ExecStart=vllm serve Qwen/Qwen3-8B \\\n');
    await typed('unit install chat');
    expect(contents[FILE]).toBe(stdout);
  });

  it('prints the same as JSON', async () => {
    const { stdout } = await typed('unit render chat --json');
    expect(JSON.parse(stdout)).toMatchObject({ unit: 'chat.service', scope: 'user', text: await rendered() });
  });

  it('of a service without run says what is missing', async () => {
    const { code, stdout, stderr } = await typed('unit render embed');
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toContain('add run: {...} to services.embed');
  });

  it('of nobody', async () => expect((await typed('unit render nobody')).code).toBe(4));
});

describe('unit install', () => {
  it('says what to type next, and nothing is left to do the second time', async () => {
    const first = await typed('unit install chat');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^written: \/user\/chat\.service\nnext: systemctl --user daemon-reload/);
    expect((await typed('unit install chat')).stdout).toBe(
      'unchanged: /user/chat.service\nthen: gpumod service start chat\n',
    );
  });

  it('replaces what it wrote itself', async () => {
    await typed('unit install chat');
    manifest = await load(TEXT.replace('Qwen3-8B', 'Qwen3-4B'));
    expect((await typed('unit install chat --json')).stdout).toContain('"end": "replaced"');
    expect(contents[FILE]).toContain('Qwen3-4B');
  });

  it.each([
    ['of somebody else', () => '[Service]\nExecStart=/mine\n', 'was not written by gpumod'],
    ['that was edited', async () => `${await rendered()}Nice=5\n`, 'was changed since gpumod wrote it'],
    ['that is empty', () => '', 'was not written by gpumod'],
  ])('leaves a file %s as it is', async (_, text, why) => {
    const before = await text();
    contents[FILE] = before;
    manifest = await load(TEXT.replace('Qwen3-8B', 'Qwen3-4B'));
    const { code, stdout, stderr } = await typed('unit install chat');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`${FILE} ${why}`);
    expect(stderr).toContain('gpumod unit diff');
    expect(contents).toEqual({ [FILE]: before });
  });

  it('writes nothing while a switch is under way', async () => {
    const { code, stderr } = await typed('unit install chat', { isLocked: true });
    expect(code).toBe(75);
    expect(stderr).toContain('gpumod mode switch rag (pid 1) is at work');
    expect(contents).toEqual({});
  });

  it('tells what the folder does not allow', async () => {
    const { files, program } = unitTools(contents);
    const write = () => Promise.reject(new FileFailure('denied', 'EACCES: permission denied, open'));
    const tools: UnitTools = { program, files: { ...files, write } };
    const { code, stderr } = await typed('unit install chat', { tools });
    expect(code).toBe(77);
    expect(stderr).toContain(`can't use ${FILE}: EACCES: permission denied; nothing was changed`);
  });
});

describe('unit diff', () => {
  it('exits 0 when there is none', async () => {
    await typed('unit install chat');
    expect(await typed('unit diff chat')).toMatchObject({ code: 0, stdout: `${FILE} is as it would be written\n` });
  });

  it('shows what an install would change, also in a file of others, and exits 3', async () => {
    contents[FILE] = (await rendered()).replace('RestartSec=5', 'RestartSec=9');
    const { code, stdout, stderr } = await typed('unit diff chat');
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
    expect(stdout).toContain(`--- ${FILE}\n+++ chat.service (gpumod)\n@@ `);
    expect(stdout).toContain('\n-RestartSec=9\n+RestartSec=5\n');
  });

  it('of a file that is not there shows the whole', async () => {
    const { code, stdout } = await typed('unit diff chat');
    expect(code).toBe(3);
    expect(stdout).toContain('--- /dev/null\n');
  });
});
