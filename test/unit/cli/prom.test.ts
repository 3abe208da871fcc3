/** `status -o prom` as Prometheus reads it: a strict parser of its text format, and what it must say of a box. */
import { expect, it } from 'vitest';
import { status } from '../../../src/app/status.ts';
import { switchMode } from '../../../src/app/switch-mode.ts';
import { promText } from '../../../src/cli/view/prom.ts';
import { GIB } from '../../../src/core/units.ts';
import { manifest, mode, vllm } from '../../fakes/build.ts';
import { world } from '../../fakes/world.ts';
import { command } from '../../kit/commands.ts';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LINE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** `name{a="b"}` → value; throws at anything that a scrape would refuse, or that promtool would complain of. */
function parsed(text: string): ReadonlyMap<string, number> {
  expect(text.endsWith('\n')).toBe(true);
  const samples = new Map<string, number>();
  const told = new Map<string, string>();
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (word) {
      expect(name).toMatch(NAME);
      expect(told.has(`${word} ${name}`), `twice: ${line}`).toBe(false);
      told.set(`${word} ${name}`, rest);
      if (word === 'TYPE') expect(['gauge', 'counter']).toContain(rest);
      if (word === 'TYPE' && rest === 'counter') expect(name).toMatch(/_total$/);
      if (word === 'HELP') expect(told.has(`TYPE ${name}`), 'HELP comes first').toBe(false);
      family = name;
      continue;
    }
    const [, sample, labels = '', value] = LINE.exec(line) ?? [];
    expect(sample, `no sample: ${line}`).toBe(family); // samples of one name are together, below their TYPE
    expect(told.has(`TYPE ${family}`) && told.has(`HELP ${family}`)).toBe(true);
    const key = labels === '' ? family : `${family}{${labels}}`;
    expect(samples.has(key), `twice: ${key}`).toBe(false);
    samples.set(key, Number(value));
  }
  return samples;
}

const box = manifest(
  [vllm('chat'), vllm('embed'), vllm('ghost', { memory: {} })],
  [mode('find', ['embed']), mode('talk', ['chat'])],
);
const never = () => new AbortController().signal;
const switchTo = (name: string, host: ReturnType<typeof world>['host']) =>
  switchMode(box, name, { onFailure: 'restore', force: false, cold: false, stop: never() }, host, () => {});

it('tells modes, states, memory, foreign processes and the switches on record', async () => {
  const { host, foreign } = world(box, { chat: 'awake' });
  foreign(3 * GIB);
  await switchTo('find', host);
  await switchTo('find', host);
  const samples = parsed(promText(await status(box, host, never(), 'processes'), await host.history.read()));
  expect(Object.fromEntries(samples)).toMatchObject({
    'gpumod_mode_active{mode="find"}': 1,
    'gpumod_mode_active{mode="talk"}': 0,
    'gpumod_mode_active{mode="off"}': 0,
    'gpumod_service_state{service="embed",state="awake"}': 1,
    'gpumod_service_state{service="embed",state="stopped"}': 0,
    'gpumod_service_state{service="chat",state="sleeping"}': 1,
    'gpumod_service_memory_bytes{service="embed",kind="measured"}': 5 * GIB,
    'gpumod_service_memory_bytes{service="chat",kind="declared"}': GIB,
    'gpumod_gpu_memory_total_bytes{gpu="0",uuid="GPU-0"}': 24 * GIB,
    'gpumod_gpu_memory_used_bytes{gpu="0",uuid="GPU-0"}': 9 * GIB,
    'gpumod_foreign_memory_bytes{gpu="0",uuid="GPU-0"}': 3 * GIB,
    gpumod_switch_in_progress: 0,
    gpumod_interrupted: 0,
    'gpumod_switches_total{end="reached"}': 1,
    'gpumod_last_switch_outcome{end="left"}': 0,
  });
  expect([...samples.keys()].filter((key) => key.includes('"ghost",kind'))).toEqual([]);
  const each = [...samples].filter(([key, value]) => key.startsWith('gpumod_service_state{') && value === 1);
  expect(each).toHaveLength(box.services.size);
  expect(samples.get('gpumod_last_switch_duration_seconds')).toBeGreaterThanOrEqual(0);
});

it('leaves out what is not measured, and what has not been', async () => {
  const { host } = world(box, {}, {}, null);
  const samples = parsed(promText(await status(box, host, never(), 'processes'), []));
  expect([...samples.keys()].filter((key) => /gpu_memory|foreign|last_switch|measured/.test(key))).toEqual([]);
  expect(samples.get('gpumod_switches_total{end="reached"}')).toBe(0);
});

it('escapes what a label may not hold', async () => {
  const { host } = world(box, {});
  const now = await status(box, host, never(), 'processes');
  if (now.now.gpu.kind !== 'measured') throw new Error('measured');
  const gpus = now.now.gpu.gpus.map((card) => ({ ...card, uuid: 'a"b\\c\nd' }));
  const text = promText({ ...now, now: { ...now.now, gpu: { ...now.now.gpu, gpus } } }, []);
  expect(parsed(text).get('gpumod_gpu_memory_used_bytes{gpu="0",uuid="a\\"b\\\\c\\nd"}')).toBe(0);
});

it('is what the command prints, and nothing else', async () => {
  const { host } = world(box, { chat: 'awake' });
  const { code, stdout, stderr } = await command(['status', '-o', 'prom'], { manifest: box, host });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(parsed(stdout).get('gpumod_mode_active{mode="talk"}')).toBe(1);
});
