/**
 * What vLLM tells of its configuration: `GET /server_info` (vLLM >= 0.8.5, `serve/dev/server_info/api_router.py` at
 * 017e9f44). Key paths move between versions and forks, so every value is looked for in several places; what is not
 * found is not told, and no reason for anything. Pure, but for the question.
 */
import { given } from '../../core/given.ts';
import { brief, isOk, jsonOf, valueAt, written } from '../answer.ts';
import type { Talk } from '../talk.ts';

/** Absent: not told, or not set. The texts are the configured values. */
export interface Told {
  /** `--enable-sleep-mode` */
  readonly sleepMode?: boolean;
  readonly loadFormat?: string;
  readonly lora?: string;
  readonly speculative?: string;
  readonly kvCacheDtype?: string;
  /** `--calculate-kv-scales`: scales found at run time, which no reload brings back. */
  readonly computedKvScales?: boolean;
  readonly hybrid?: string;
  readonly multimodal?: string;
  readonly quantization?: string;
  readonly kvConnector?: string;
  /** `--kv-offloading-size`, or a connector that does the same. */
  readonly kvOffload?: string;
}

const MAX_BYTES = 8 * 2 ** 20;

/** vLLM >= 0.11 has the JSON form, older ones answer with text; undefined: not there, or not understood. */
export async function configIn(talk: Talk): Promise<Told | undefined> {
  const answer = await talk.ask('GET', '/server_info?config_format=json', { maxBodyBytes: MAX_BYTES });
  return isOk(answer) ? toldIn(jsonOf(answer)) : undefined;
}

/** Aphrodite has the same route, and its own name for the config. */
const CONFIG_KEYS = ['vllm_config', 'aphrodite_config', 'config'];

export function toldIn(info: unknown): Told | undefined {
  for (const key of CONFIG_KEYS) {
    const config = valueAt(info, key);
    if (typeof config === 'string') return toldInText(config);
    if (isObject(config)) return toldInJson(config);
  }
  return undefined;
}

function toldInJson(config: object): Told | undefined {
  if (!isObject(valueAt(config, 'model_config'))) return undefined;
  const at = (...places: readonly string[]) => places.map((place) => valueAt(config, place)).find(isSet);
  const sleepMode = at('model_config.enable_sleep_mode', 'enable_sleep_mode', 'sleep_config.enable_sleep_mode');
  const kvConnector = textOf(at('kv_transfer_config.kv_connector', 'kv_transfer_config'));
  const model = textOf(at('model_config.model')) ?? 'yes';
  return given({
    sleepMode: typeof sleepMode === 'boolean' ? sleepMode : undefined,
    loadFormat: textOf(at('load_config.load_format', 'model_config.load_format', 'load_format')),
    lora: isObject(at('lora_config', 'model_config.lora_config')) ? model : undefined,
    speculative: speculativeOf(at('speculative_config', 'model_config.speculative_config')),
    kvCacheDtype: textOf(at('cache_config.cache_dtype', 'cache_config.kv_cache_dtype', 'kv_cache_dtype')),
    computedKvScales: at('cache_config.calculate_kv_scales') === true ? true : undefined,
    hybrid: isHybrid(at) ? model : undefined,
    multimodal: isObject(at('model_config.multimodal_config', 'multimodal_config')) ? model : undefined,
    quantization: textOf(at('model_config.quantization', 'quantization')),
    kvConnector,
    kvOffload: offloadOf(at('cache_config.kv_offloading_size', 'kv_offloading_size'), kvConnector),
  });
}

type At = (...places: readonly string[]) => unknown;

function speculativeOf(value: unknown): string | undefined {
  if (!isObject(value)) return textOf(value);
  return textOf(valueAt(value, 'method')) ?? textOf(valueAt(value, 'model')) ?? 'yes';
}

/** Only hybrid and mamba models have a mamba cache; the model's own config is told as text. */
function isHybrid(at: At): boolean {
  if (at('model_config.is_hybrid') === true) return true;
  const sizes = [at('cache_config.mamba_block_size'), at('cache_config.mamba_page_size_padded')];
  if (sizes.some((size) => typeof size === 'number' && size > 0)) return true;
  const own = [at('model_config.hf_text_config'), at('model_config.hf_config')].map((value) =>
    typeof value === 'string' ? value : written(value, ''),
  );
  return own.some((text) => /mamba|linear_attention/i.test(text));
}

function offloadOf(size: unknown, kvConnector: string | undefined): string | undefined {
  const buffer = typeof size === 'number' && size > 0 ? `${size} GiB` : textOf(size);
  return buffer ?? (kvConnector !== undefined && /offload/i.test(kvConnector) ? kvConnector : undefined);
}

/** `model='x', speculative_config=None, ..., load_format=LoadFormat.AUTO, ..., quantization=None, kv_cache_dtype=auto`. */
function toldInText(config: string): Told | undefined {
  const at = (key: string): string | undefined => {
    const [, value] = new RegExp(`(?:^|[,\\s])${key}=([^,\\s(]+)`).exec(config) ?? [];
    return value === undefined || value === 'None' ? undefined : brief(value);
  };
  if (at('model') === undefined) return undefined;
  return given({
    loadFormat: at('load_format')
      ?.replace(/^LoadFormat\./, '')
      .toLowerCase(),
    speculative: at('speculative_config'),
    kvCacheDtype: at('kv_cache_dtype'),
    quantization: at('quantization'),
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** A number or word as it is told; what is no single value says no more than that it is set. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' || value === 'None' ? undefined : brief(value);
  if (typeof value === 'number') return String(value);
  return isObject(value) ? 'yes' : undefined;
}
