/** A drafted manifest: whatever is found, the loader takes it, and reads just what was meant. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is how a manifest names a variable
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { init } from '../../../src/app/init.ts';
import { plainName } from '../../../src/app/name-units.ts';
import { type Draft, draftText } from '../../../src/manifest/draft.ts';
import { type InstalledService, machine, service } from '../../fakes/installed.ts';
import { load } from './kit.ts';

const draft = (more: Partial<Draft>): Draft => ({
  schema: '/x.json',
  head: [],
  defaults: [],
  services: [],
  modes: [],
  tail: [],
  ...more,
});
const vllm = [
  { key: 'engine', value: 'vllm' },
  { key: 'url', value: 'http://127.0.0.1:1' },
];

describe('text', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.string({ unit: fc.constantFrom(...'#:,-[]{}&*!|>\'"%@`$ \\~?=.e0yn'), minLength: 1 }),
    fc.constantFrom(
      'null',
      'yes',
      'off',
      '1e3',
      '0x1f',
      '12:30',
      '${HOME}',
      '$${X}',
      '- a',
      '? b',
      '~',
      '.inf',
      '<<',
      'a: b',
    ),
  );

  it('comes back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (prompt, note) => {
        const lines = [...vllm, { key: 'verify', value: { model: 'm', prompt }, note }];
        const about = [note, prompt];
        const written = draftText(draft({ services: [{ name: 'a', about, lines }], head: about, tail: about }));
        const it = (await load(written)).services.get('a');
        expect(it && 'verify' in it && it.verify?.prompt).toBe(prompt);
      }),
      { numRuns: 300 },
    );
  });

  it('a name that looks like a number or a truth stays a name', async () => {
    const names = ['1', '1.5', 'true', 'no', 'null', '0x10', '2026-11-21', 'a.b', '1e3'];
    const services = names.map((name, i) => {
      const url = { key: 'url', value: `http://127.0.0.1:${i + 1}` };
      return { name, about: [], lines: [{ key: 'engine', value: 'vllm' }, url] };
    });
    const modes = [{ name: 'all', about: [], lines: [{ key: 'services', value: names }] }];
    const read = await load(draftText(draft({ services, modes })));
    expect([...read.services.keys()]).toEqual(names);
    expect(read.modes.get('all')?.services).toEqual(names);
  });
});

it.each([
  ['vllm-chat.service', 'vllm-chat'],
  ['vllm@chat.service', 'vllm-chat'],
  ['vllm@a\\x2db.service', 'vllm-a-b'],
  ['app@home-me:x.service', 'app-home-me-x'],
  ['_x_.service', 'x_'],
  [`${'a'.repeat(200)}.service`, 'a'.repeat(64)],
])('%s is named %s', (unit, name) => expect(plainName(unit)).toBe(name));

describe('whatever the units say', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'Qwen/Qwen3-8B',
      '/m/a b.gguf',
      '0.0.0.0',
      '::1',
      '192.168.1.5',
      'my host',
      '${X}',
      '$PORT',
      '0',
      '65536',
      'x\u2028y',
      '"',
      '#',
      '-1',
      '999999999999',
      '/run/x y.sock',
      'http://u:p@h/',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll(' ', '_')),
    fc.integer({ min: 1, max: 65535 }).map(String),
  );
  const programs = [
    '/v/bin/vllm serve',
    '/v/bin/python -m sglang.launch_server --model-path',
    '/usr/bin/llama-server -m',
    '/usr/bin/llama-server --models-dir /m',
    '/usr/bin/ollama serve',
    '/c/ComfyUI/bin/python /c/ComfyUI/main.py',
    '/t/tabbyAPI/bin/python /t/tabbyAPI/main.py',
    '/k/koboldcpp',
    '/s/bin/uvicorn app:app',
    '/usr/bin/docker run -p',
  ];
  const flags =
    '--port --host --model --served-model-name --gpu-memory-utilization --tensor-parallel-size --uds --listen --cuda-device --alias --enable-sleep-mode --ssl-keyfile --api-key-file --bind --device vllm/vllm-openai'.split(
      ' ',
    );
  const one = fc.record({
    command: fc
      .tuple(fc.constantFrom(...programs), fc.array(fc.tuple(fc.constantFrom(...flags), word), { maxLength: 5 }))
      .map(([program, more]) => [program, ...more.flat()].join(' ')),
    environment: fc.array(
      fc
        .tuple(
          fc.constantFrom(
            'CUDA_VISIBLE_DEVICES',
            'OLLAMA_HOST',
            'VLLM_SERVER_DEV_MODE',
            'LLAMA_ARG_PORT',
            'VLLM_API_KEY',
          ),
          word,
        )
        .map((pair) => pair.join('=')),
      { maxLength: 3 },
    ),
    description: word,
    scope: fc.constantFrom('user', 'system') as fc.Arbitrary<'user' | 'system'>,
    active: fc.boolean(),
    asleep: fc.boolean(),
    enabled: fc.boolean(),
    holds: fc.integer({ min: 0, max: 20_000 }),
  });
  const unit = fc
    .string({ unit: fc.constantFrom(...'ab1-_.:@\\x2d'), minLength: 1, maxLength: 12 })
    .map((stem) => `a${stem}z.service`);
  const box = fc.dictionary(unit, one, { minKeys: 1, maxKeys: 6 });

  it('what is written is a manifest', async () => {
    const signal = new AbortController().signal;
    await fc.assert(
      fc.asyncProperty(box, async (units) => {
        const all: Record<string, InstalledService> = {
          ...units,
          'sure.service': service('/v/bin/vllm serve a/b --port 1'),
        };
        const made = machine(all, { sizes: { '/m/a b.gguf': 2 ** 30, '/m/x.gguf': 2 ** 30 } });
        const { text, proposals } = await init(made.parts, { scopes: ['user', 'system'], isDry: false }, signal);
        const read = await load(text);
        expect([...read.services.keys()]).toEqual(proposals.map(({ name }) => name));
        expect([...read.services.values()].map(({ unit, scope }) => `${scope} ${unit}`)).toEqual(
          proposals.map(({ unit, scope }) => `${scope} ${unit}`),
        );
        expect(read.modes.size).toBeGreaterThan(1);
        // What does not run is not asked.
        const down = proposals.filter(({ unit }) => !all[unit]?.active).map(({ name }) => name);
        expect(made.asked.filter((name) => down.includes(name))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
