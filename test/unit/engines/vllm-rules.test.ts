/** What vLLM's configuration says of its sleep: the rules as a table, its answers read from every form they come in. */
import { describe, expect, it } from 'vitest';
import type { NapAbility } from '../../../src/core/facts.ts';
import type { VllmSetup } from '../../../src/demo/vllm-setup.ts';
import { type Told, toldIn } from '../../../src/engines/vllm/config.ts';
import { abilityOf } from '../../../src/engines/vllm/rules.ts';
import { releaseOf } from '../../../src/engines/vllm/versions.ts';
import { examine, rig } from '../../fakes/vllm-rig.ts';
import { code } from '../../kit/outcome.ts';

/** `1 2`, `1; 2 lora m`, `kv-offload 4 GiB`. */
function text(nap: NapAbility | undefined): string {
  if (!nap) return 'not told';
  if (!nap.can) return `${nap.why.code} ${nap.why.detail ?? ''}`.trim();
  const bars = (nap.barred ?? []).map(({ level, why }) => `; ${level} ${why.code} ${why.detail ?? ''}`.trimEnd());
  return nap.levels.join(' ') + bars.join('');
}
const ability = (told: Told, version = '0.24.0', declared: 1 | 2 = 1, reloads = true) =>
  text(abilityOf(told, releaseOf(version), declared, reloads));

describe('the rules', () => {
  it.each<[Told, string, string]>([
    [{}, '0.24.0', '1 2'],
    [{ sleepMode: true, loadFormat: 'auto', kvCacheDtype: 'auto' }, '0.24.0', '1 2'],
    [{ sleepMode: false }, '0.24.0', 'sleep-mode-off'],
    [{ sleepMode: false }, '0.15.0', 'sleep-mode-off'],
    [{ kvOffload: '4 GiB' }, '0.24.0', 'kv-offload 4 GiB'],
    [{}, '0.7.3', 'version-too-old'],
    [{}, '0.15.0', 'version-broken'],
    [{}, '0.10.1', '1'],
    [{}, 'nightly', '1'],
    [{ lora: 'm' }, 'nightly', '1'], // level 2 is not its version's
    ...['auto', 'safetensors', 'hf', 'pt'].map((it): [Told, string, string] => [{ loadFormat: it }, '0.24.0', '1 2']),
    ...['runai_streamer', 'sharded_state', 'tensorizer', 'gguf', 'bitsandbytes', 'dummy'].map(
      (it): [Told, string, string] => [{ loadFormat: it }, '0.24.0', `1; 2 load-format ${it}`],
    ),
    [{ lora: 'm' }, '0.27.1', '1; 2 lora m'],
    [{ lora: 'm' }, '0.29.0', '1 2'],
    [{ speculative: 'mtp' }, '0.31.0', '1; 2 speculative mtp'],
    [{ kvCacheDtype: 'bfloat16' }, '0.11.0', '1 2'],
    [{ kvCacheDtype: 'fp8' }, '0.11.2', '1; 2 kv-cache-dtype fp8'],
    [{ kvCacheDtype: 'fp8' }, '0.12.0', '1 2'],
    [{ kvCacheDtype: 'fp8_e4m3', computedKvScales: true }, '0.31.0', '1; 2 kv-cache-dtype fp8_e4m3'],
    [{ kvCacheDtype: 'fp8', quantization: 'compressed-tensors' }, '0.31.0', '1; 2 kv-cache-dtype fp8'],
    [{ hybrid: 'm' }, '0.31.0', '1; 2 hybrid m'],
    [{ multimodal: 'm' }, '0.31.0', '1; 2 multimodal m'],
    [{ quantization: 'awq' }, '0.13.0', '1; 2 quantized awq'],
    [{ quantization: 'awq' }, '0.17.0', '1 2'],
    [{ kvConnector: 'NixlConnector' }, '0.24.0', '1; 2 kv-connector NixlConnector'],
    [
      { kvConnector: 'NixlConnector' },
      '0.13.0',
      'level-barred level 1: kv-connector NixlConnector; level 2: kv-connector NixlConnector',
    ],
    [{ lora: 'm', speculative: 'mtp' }, '0.24.0', '1; 2 lora m; 2 speculative mtp'],
  ])('%o in %s: %s', (told, version, expected) => {
    expect(ability(told, version)).toBe(expected);
  });

  it('0.14 to 0.16, declared for level 2: only that, and nothing where it does not suit', () => {
    expect(ability({}, '0.15.0', 2)).toBe('2');
    expect(ability({ quantization: 'gptq' }, '0.15.0', 2)).toBe('level-barred level 2: quantized gptq');
    expect(ability({ quantization: 'gptq' }, '0.16.0', 2)).toBe('2');
  });

  it('without a way to reload: level 1', () => {
    expect(ability({}, '0.24.0', 2, false)).toBe('1; 2 no-reload');
  });
});

describe('the configuration', () => {
  const model_config = { model: 'm' };
  it.each<[string, unknown, Told | undefined]>([
    ['nothing set', { vllm_config: { model_config } }, {}],
    [
      'Aphrodite',
      { aphrodite_config: { model_config: { model: 'm', enable_sleep_mode: false } } },
      { sleepMode: false },
    ],
    ['moved to the top', { vllm_config: { model_config, enable_sleep_mode: true } }, { sleepMode: true }],
    ['a sleep mode that is no boolean', { vllm_config: { model_config, enable_sleep_mode: 'no' } }, {}],
    [
      'a draft model by method',
      { vllm_config: { model_config, speculative_config: { method: 'eagle3', quantization: 'fp8' } } },
      { speculative: 'eagle3' },
    ],
    [
      'a draft model without a name',
      { vllm_config: { model_config, speculative_config: { k: 2 } } },
      { speculative: 'yes' },
    ],
    [
      'a hybrid model by its own config',
      {
        vllm_config: {
          model_config: { model: 'q', hf_text_config: 'Qwen3NextConfig {"layer_types": ["linear_attention"]}' },
        },
      },
      { hybrid: 'q' },
    ],
    [
      'a hybrid model by its cache',
      { vllm_config: { model_config, cache_config: { mamba_block_size: 4096, mamba_cache_dtype: 'auto' } } },
      { hybrid: 'm' },
    ],
    [
      'offloading by connector',
      { vllm_config: { model_config, kv_transfer_config: { kv_connector: 'OffloadingConnector' } } },
      { kvConnector: 'OffloadingConnector', kvOffload: 'OffloadingConnector' },
    ],
    [
      'text',
      { vllm_config: "model='m', speculative_config=None, load_format=LoadFormat.AUTO, quantization=None" },
      { loadFormat: 'auto' },
    ],
    [
      'text with values',
      {
        vllm_config:
          "model='m', speculative_config=SpeculativeConfig(method='ngram', k=2), load_format=runai_streamer, quantization=awq, kv_cache_dtype=fp8,  device_config=cuda",
      },
      { speculative: 'SpeculativeConfig', loadFormat: 'runai_streamer', quantization: 'awq', kvCacheDtype: 'fp8' },
    ],
    ['something else', { hello: 'world' }, undefined],
    ['a config of something else', { vllm_config: { hello: 'world' } }, undefined],
    ['text of something else', { vllm_config: 'hello' }, undefined],
    ['null', null, undefined],
    ['a list', [1], undefined],
    ['a config that is a list', { vllm_config: [] }, undefined],
    [
      'sections that are none',
      { vllm_config: { model_config, cache_config: 7, load_config: null, lora_config: [] } },
      {},
    ],
  ])('%s', (_, info, expected) => {
    expect(toldIn(info)).toEqual(expected);
  });

  it('nested too deep to be written', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`);
    expect(toldIn({ vllm_config: { model_config: { model: 'm', hf_config: deep } } })).toEqual({});
  });
});

describe('examine', () => {
  it.each<[VllmSetup, string]>([
    [{}, '1 2'],
    [{ loadFormat: 'runai_streamer' }, '1; 2 load-format runai_streamer'],
    [{ lora: true }, '1; 2 lora sim/model'],
    [{ speculative: 'mtp' }, '1; 2 speculative mtp'],
    [{ kvCacheDtype: 'fp8', computedKvScales: true }, '1; 2 kv-cache-dtype fp8'],
    [{ hybrid: true }, '1; 2 hybrid sim/model'],
    [{ multimodal: true }, '1; 2 multimodal sim/model'],
    [{ quantization: 'awq' }, '1 2'],
    [{ kvConnector: 'LMCacheConnectorV1' }, '1; 2 kv-connector LMCacheConnectorV1'],
    [{ kvOffloadingGib: 8 }, 'kv-offload 8 GiB'],
  ])('%o: %s', async (setup, expected) => {
    expect(text(await examine(await rig({ setup })))).toBe(expected);
  });

  it('sends nothing that changes the engine: a question, and a call without a method', async () => {
    const it = await rig();
    await examine(it);
    expect([...it.all()].sort()).toEqual([
      'GET /server_info?config_format=json',
      'GET /version',
      'POST /collective_rpc {}',
    ]);
  });

  it('does not ask for a reload where level 2 is out of the question', async () => {
    for (const options of [{ enableSleep: false }, { setup: { lora: true } }, { version: 'nightly' }]) {
      const it = await rig(options);
      await examine(it);
      expect(it.sent()).toEqual([]);
    }
  });

  it('finds out that --enable-sleep-mode is missing, which /sleep would not tell', async () => {
    expect(text(await examine(await rig({ enableSleep: false })))).toBe('sleep-mode-off');
  });

  it('reads the text of versions before 0.11', async () => {
    const it = await rig({ version: '0.10.2', setup: { quantization: 'awq' } });
    expect(text(await examine(it))).toBe('1; 2 quantized awq');
  });

  it('of a server without /collective_rpc: level 1', async () => {
    const it = await rig();
    it.engine.failNext('/collective_rpc', 404, { detail: 'Not Found' });
    expect(text(await examine(it))).toBe('1; 2 no-reload');
  });

  it.each([
    [{ version: '0.8.4' }, 404, undefined],
    [{}, 500, 'Internal Server Error'],
    [{}, 200, '<html>'],
    [{}, 200, { vllm_config: 7 }],
    [{}, 200, undefined],
  ])('%o with a %i of %o: says no more than the probe', async (options, status, body) => {
    const it = await rig(options);
    it.engine.failNext('/server_info', status, body);
    expect(text(await examine(it))).toBe('not told');
    expect(it.sent()).toEqual([]);
  });

  it('of one that is down: says no more than the probe', async () => {
    const down = await rig();
    await down.engine.close();
    expect(text(await examine(down))).toBe('not told');
  });

  it('follows the manifest where the version does not tell', async () => {
    expect(text(await examine(await rig({ version: 'nightly' }, { version: '0.24.0' })))).toBe('1 2');
  });

  it('what it allows comes back: no level is offered that the engine would not survive', async () => {
    for (const setup of [{}, { quantization: 'awq' }, { lora: true }, { loadFormat: 'tensorizer' }] as VllmSetup[]) {
      const it = await rig({ setup, text: 'two' });
      const nap = await examine(it);
      for (const level of nap?.can ? nap.levels : []) {
        await it.driver.nap?.sleep(it.service, level, { force: false }, new AbortController().signal);
        expect(await code(it.driver.nap?.wake(it.service, level, new AbortController().signal))).toBe('done');
      }
    }
  });
});
