/** What gpumod writes into unit files, read back by systemd, and by the program that it starts. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what a unit file has a meaning for
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VllmService } from '../../../src/core/model.ts';
import { unitPath } from '../../../src/systemd/names.ts';
import { engineUnit } from '../../../src/unit-file/engine-unit.ts';
import { vllm } from '../../fakes/build.ts';
import { below, pick, type Random, randomOf } from '../../kit/fuzz.ts';
import { box, runtimeDirectory, systemctl } from './box.ts';

const execute = promisify(execFile);
const here = box();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gpumod written 100% '));
});
afterEach(() => here.cleanUp());
afterAll(() => rmSync(folder, { recursive: true }));

/** What unit files, shells and printf have a meaning for, and some that they have not. */
const PIECES = [
  ...'%$\\"\'`;#=~!@+-:*?[]{}()<>|&^,./ ax0',
  ...[
    '%%',
    '%h',
    '%i',
    '%n',
    '$$',
    '$HOME',
    '${HOME}',
    '$',
    '\\n',
    '\\x41',
    '\\s',
    '\\',
    '  ',
    ' ; ',
    '--',
    'ü',
    '日本',
    '🦙',
    '{"a": ["b"]}',
  ],
];

function text(random: Random): string {
  return Array.from({ length: below(random, 8) }, () => pick(random, PIECES)).join('');
}

/** As `systemctl show -P ExecStart`, but one word each: variables are not put in yet, so `$` is still `$$`. */
async function execStart(unit: string): Promise<readonly string[]> {
  const address = ['org.freedesktop.systemd1', unitPath(unit), 'org.freedesktop.systemd1.Service', 'ExecStart'];
  const env = { ...process.env, XDG_RUNTIME_DIR: runtimeDirectory };
  const { stdout } = await execute('busctl', ['--user', '--json=short', 'get-property', ...address], { env });
  return (JSON.parse(stdout) as { data: [string, string[]][] }).data[0]?.[1] ?? [];
}

/** Writes down what it was started with. */
function dump(name: string): {
  readonly program: string;
  read(): { argv: string[]; env: Record<string, string>; cwd: string };
} {
  const program = join(folder, name);
  const out = `${program}.json`;
  const code = `require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify({argv: process.argv.slice(2), env: process.env, cwd: process.cwd()}))`;
  writeFileSync(program, `#!${process.execPath}\n${code}\n`);
  chmodSync(program, 0o755);
  return { program, read: () => JSON.parse(readFileSync(out, 'utf8')) };
}

async function written(with_: Partial<VllmService>): Promise<string> {
  const unit = here.unit([], { name: here.name() });
  writeFileSync(here.file(unit), engineUnit(vllm('a', { url: 'http://127.0.0.1:8000', ...with_, unit })));
  await systemctl('daemon-reload');
  return unit;
}

const SEEDS = Number(process.env['GPUMOD_FUZZ'] ?? 6);

describe('what systemd reads', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('is what was meant, seed %i', async (seed) => {
    const random = randomOf(seed);
    const args = Array.from({ length: 60 }, () => text(random));
    const env = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`TEXT_${i}`, text(random)]));
    const { program, read } = dump(`seed ${seed} 100%n; +`);
    const unit = await written({ run: { program, model: 'm', args, env, sleeps: true } });

    const all = ['serve', 'm', '--enable-sleep-mode', ...args, '--host', '127.0.0.1', '--port', '8000'];
    expect(await execStart(unit)).toEqual([program, ...all.map((each) => each.replaceAll('$', '$$$$'))]);
    await systemctl('start', unit);
    const { argv, env: got } = await until(read);
    expect(argv).toEqual(all);
    expect(Object.fromEntries(Object.keys(env).map((name) => [name, got[name]]))).toEqual(env);
    expect(got).toMatchObject({ VLLM_SERVER_DEV_MODE: '1', CUDA_VISIBLE_DEVICES: '0' });
  });

  it('takes folders and files of variables with blanks and percent signs', async () => {
    const { program, read } = dump('folders');
    const cwd = join(folder, 'a b %h');
    mkdirSync(cwd);
    const envFile = join(folder, 'keys %h.env');
    writeFileSync(envFile, 'VLLM_API_KEY=sesame\n');
    const unit = await written({
      run: { program, model: 'm', args: [], env: {}, folder: cwd, envFile, sleeps: false },
    });
    await systemctl('start', unit);
    expect(await until(read)).toMatchObject({ cwd, env: { VLLM_API_KEY: 'sesame' } });
  });
});

async function until<T>(read: () => T): Promise<T> {
  for (;;)
    try {
      return read();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
}
