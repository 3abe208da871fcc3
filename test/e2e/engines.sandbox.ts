/** Every engine besides vLLM and llama.cpp under real units, through the built program: strict fakes that die of a wrong command. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../src/demo/sim-server.ts';
import { bundle } from '../fakes/bundle.ts';
import { gpumod } from '../kit/cli.ts';
import { systemctl } from '../kit/llama-unit.ts';
import { describeWith } from '../kit/require.ts';

const KINDS = ['sglang', 'ollama', 'tabbyapi', 'comfyui', 'koboldcpp'] as const;
const MODELS: Partial<Record<string, string>> = {
  ollama: 'models: [m]',
  tabbyapi: 'models: [m]',
  koboldcpp: 'models: [m.kcpps]',
};

describeWith('systemd')('every other engine on real systemd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gpumod-engines-'));
  const units = join(homedir(), '.config/systemd/user');
  const manifest = join(folder, 'box.yaml');
  const flag = join(folder, 'job-sleeps');
  const eyes = new Map<string, number>();
  const env = { ...process.env, GPUMOD_MANIFEST: manifest, XDG_STATE_HOME: join(folder, 'state') };
  const unitOf = (name: string) => `engines-${name}.service`;
  const put = (name: string, command: string) =>
    writeFileSync(join(units, unitOf(name)), `[Service]\nType=exec\nTimeoutStopSec=5\nExecStart=${command}\n`);

  beforeAll(async () => {
    const script = await bundle('test/fakes/engines/main.ts');
    mkdirSync(units, { recursive: true });
    const services: string[] = [];
    for (const kind of KINDS) {
      const [port, eye] = [await freePort(), await freePort()];
      eyes.set(kind, eye);
      put(kind, `${process.execPath} ${script} ${kind} --port ${port} --eyes ${eye}`);
      const more = MODELS[kind] ? `, ${MODELS[kind]}` : '';
      services.push(
        `  ${kind}: {engine: ${kind}, unit: ${unitOf(kind)}, url: "http://127.0.0.1:${port}", gpus: [], timeouts: {probe: 5s}${more}}`,
      );
    }
    put('job', '/bin/sleep infinity');
    writeFileSync(
      manifest,
      [
        'version: 1',
        'services:',
        ...services,
        '  job:',
        '    engine: exec',
        `    unit: ${unitOf('job')}`,
        '    gpus: []',
        `    asleep: {exec: [test, -e, ${flag}]}`,
        `    sleep: {steps: [{exec: [touch, ${flag}]}]}`,
        `    wake: {steps: [{exec: [rm, ${flag}]}]}`,
        'modes:',
        '  text: {services: [sglang, ollama, job]}',
        '  art: {services: [tabbyapi, comfyui, koboldcpp]}',
        '',
      ].join('\n'),
    );
    await systemctl('daemon-reload');
  });
  afterAll(async () => {
    const names = [...KINDS, 'job'].map(unitOf);
    await systemctl('stop', ...names);
    for (const name of names) rmSync(join(units, name));
    await systemctl('daemon-reload');
    rmSync(folder, { recursive: true });
  });

  const run = (line: string) => gpumod(line.split(' '), env);
  const states = async () => {
    const { services } = JSON.parse((await run('status --json')).stdout);
    return Object.fromEntries(services.map(({ name, state }: Record<string, string>) => [name, state]));
  };
  const runs = () =>
    Promise.all([...KINDS, 'job'].map((name) => systemctl('show', '-P', 'InvocationID', unitOf(name))));
  const mutations = async (kind: string) => {
    const calls = (await (await fetch(`http://127.0.0.1:${eyes.get(kind)}`)).json()) as Record<string, string>[];
    return calls.filter(({ method }) => method !== 'GET').map(({ path, body }) => `${path} ${body}`);
  };

  const TEXT = { sglang: 'awake', ollama: 'awake', job: 'awake' };
  const ART = { tabbyapi: 'awake', comfyui: 'awake', koboldcpp: 'awake' };

  it('goes there and back without a restart, by sleep and wake alone', async () => {
    for (const mode of ['text', 'art']) expect(await run(`switch ${mode}`), mode).toMatchObject({ code: 0 });
    const before = await runs();
    for (const [mode, awake] of [
      ['text', TEXT],
      ['art', ART],
      ['text', TEXT],
    ] as const) {
      expect(await run(`switch ${mode}`), mode).toMatchObject({ code: 0 });
      expect(await states()).toMatchObject(awake);
      expect(Object.values(await states()).filter((state) => state === 'sleeping')).toHaveLength(3);
      expect((await run(`switch ${mode}`)).stdout).toContain('nothing changed');
    }
    expect(await runs()).toEqual(before);
  });

  it('said to each what its API asks for, each command once a turn', async () => {
    const sglang = await mutations('sglang');
    expect(sglang.filter((call) => call.startsWith('/release_memory_occupation'))).toEqual([
      '/release_memory_occupation {}',
      '/release_memory_occupation {}',
    ]);
    expect(sglang.filter((call) => call.startsWith('/resume_memory_occupation'))).toHaveLength(2);
    expect((await mutations('ollama')).filter((call) => call.includes('"keep_alive":0'))).toHaveLength(2);
    expect((await mutations('comfyui')).filter((call) => call.startsWith('/free'))).toHaveLength(0); // never used
    expect((await mutations('koboldcpp')).filter((call) => call.includes('unload_model'))).toHaveLength(2);
  });

  it('restarts what can not tell whether it sleeps, once the records are gone', async () => {
    expect((await run('switch art')).code).toBe(0);
    rmSync(join(folder, 'state'), { recursive: true });
    expect(await states()).toMatchObject({ ...ART, sglang: 'unknown', ollama: 'sleeping' });
    const before = await runs();
    expect((await run('switch text')).code).toBe(0);
    const after = await runs();
    expect(after.map((id, i) => (id === before[i] ? '' : KINDS[i]))).toEqual(['sglang', '', '', '', '', '']);
    expect(await states()).toMatchObject(TEXT);
  });

  it('has nothing to complain about, save what is not declared', async () => {
    const { stdout } = await run('doctor --json');
    const { findings } = JSON.parse(stdout) as { findings: { id: string; severity: string }[] };
    expect(findings.map(({ id }) => id)).toEqual(['no-tool']);
  });
});
