/** The real llama-server as a router under a real user unit: loads and unloads real, tiny models. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BIG, TINY } from '../fakes/gguf.ts';
import { ask, type LlamaUnit, makeLlamaUnit, modelStates, systemctl, until } from '../kit/llama-unit.ts';
import { describeWith } from '../kit/require.ts';

describeWith('systemd', 'llama')('llama-server from its package', () => {
  let llama: LlamaUnit;
  beforeAll(async () => {
    llama = await makeLlamaUnit('gpumod-llama', 7070, { tiny: TINY, big: BIG });
  });
  afterAll(() => llama?.remove());

  const load = (model: string) => ask(llama, '/models/load', { model });
  const unload = (model: string) => ask(llama, '/models/unload', { model });
  const state = async (model: string) => (await modelStates(llama))?.[model];

  it('comes up as a router with nothing loaded', async () => {
    await systemctl('start', llama.unit);
    expect(await systemctl('is-active', llama.unit)).toBe('active');
    expect(await until(() => modelStates(llama), Boolean)).toEqual({ big: 'unloaded', tiny: 'unloaded' });
    expect((await ask(llama, '/props'))?.body).toMatchObject({ role: 'router', models_autoload: false });
  });

  it('loads a model, in a process of the unit, and answers with it', async () => {
    expect((await load('tiny'))?.status).toBe(200);
    await until(
      () => state('tiny'),
      (value) => value === 'loaded',
    );
    expect(await processes(llama.unit)).toHaveLength(2);
    const answer = await ask(llama, '/completion', { model: 'tiny', prompt: '1+1=', n_predict: 1 });
    expect(answer).toMatchObject({ status: 200, body: { tokens_predicted: 1 } });
  });

  it('unloads it: its process is gone, the unit stays', async () => {
    expect((await unload('tiny'))?.status).toBe(200);
    await until(
      () => state('tiny'),
      (value) => value === 'unloaded',
    );
    expect(await processes(llama.unit)).toHaveLength(1);
    expect(await systemctl('is-active', llama.unit)).toBe('active');
  });

  it('loads a model of a gigabyte, and the next load drives it out', async () => {
    await load('big');
    await until(
      () => state('big'),
      (value) => value === 'loaded',
    );
    const resident = (await processes(llama.unit)).map(residentBytes);
    expect(Math.max(...resident)).toBeGreaterThan(2 ** 30);
    await load('tiny');
    await until(
      () => modelStates(llama),
      (models) => models?.['tiny'] === 'loaded' && models['big'] === 'unloaded',
    );
  });

  it('stops clean with a model loaded', async () => {
    await systemctl('stop', llama.unit);
    expect(await systemctl('show', '--value', '-p', 'ActiveState', '-p', 'Result', llama.unit)).toBe(
      'success\ninactive',
    );
    expect(await modelStates(llama)).toBeUndefined();
  });
});

/** The pids of a unit's processes. */
async function processes(unit: string): Promise<readonly number[]> {
  const group = await systemctl('show', '--value', '-p', 'ControlGroup', unit);
  return readFileSync(`/sys/fs/cgroup${group}/cgroup.procs`, 'utf8').trim().split('\n').map(Number);
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
