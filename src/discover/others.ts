/** The command lines of ComfyUI, TabbyAPI, and any other HTTP server. Pure. */
import { given } from '../core/given.ts';
import { flagsOf } from './flags.ts';
import { type Found, known, listenOf, type Recognise, visibleTo } from './found.ts';
import type { Program } from './program.ts';
import { tlsOf } from './vllm.ts';

/** `main.py` is many a program: it is ComfyUI by its folder, or by options that only it has. */
export const comfyui: Recognise = (program, flags) => {
  const { name, path, env, container } = program;
  const byScript = name === 'main.py' && (/comfy/i.test(`${path} ${env['PWD'] ?? ''}`) || flags.has(...COMFY_FLAGS));
  const byName = /^comfy(ui)?$/i.test(name) && !flags.has('--help');
  const byImage = name === '' && container !== undefined && /comfy/i.test(container.image);
  if (!byScript && !byName && !byImage) return undefined;
  // `--listen` alone is every interface.
  const host = flags.has('--listen') ? (flags.value('--listen')?.split(',')[0] ?? '0.0.0.0') : undefined;
  const card = flags.value('--cuda-device');
  return {
    engine: 'comfyui',
    listen: listenOf(program, { host, port: flags.value('--port') }, 8188),
    ...(flags.has('--tls-keyfile') ? { tls: true } : {}),
    ...given({ container: container?.image }),
    spread: 1,
    ...visibleTo(program),
    ...(card === undefined ? {} : { visible: card.split(',') }),
    ...(flags.has('--cpu') ? { onProcessor: true } : {}),
    sleeps: !flags.has('--cpu'),
    lacks: [],
  };
};

const COMFY_FLAGS = [
  '--disable-auto-launch',
  '--extra-model-paths-config',
  '--normalvram',
  '--highvram',
  '--lowvram',
  '--novram',
  '--use-sage-attention',
  '--front-end-version',
];

/** Its settings stand in `config.yml` beside it; options override them. */
export const tabbyapi: Recognise = (program, flags) => {
  const { name, path, env, container } = program;
  const isTabby = /tabby/i.test(`${path} ${env['PWD'] ?? ''}`);
  const byScript = /^(main|start)\.py$/.test(name) && isTabby;
  const byName = /^tabby-?api$/i.test(name);
  const byImage = name === '' && container !== undefined && /tabbyapi/i.test(container.image);
  if (!byScript && !byName && !byImage) return undefined;
  const model = known(flags.value('--model-name'));
  return {
    engine: 'tabbyapi',
    listen: listenOf(program, { host: flags.value('--host'), port: flags.value('--port') }, 5000),
    ...given({ model, container: container?.image }),
    spread: 'all',
    ...visibleTo(program),
    sleeps: model !== undefined,
    lacks: [],
  };
};

export const speaksOfModels = (text: string): boolean => OF_MODELS.test(text);

const SERVERS = /^(uvicorn|hypercorn|granian|gunicorn|daphne|fastapi|litestar|flask|waitress-serve)$/;
/** Words of a program, its folder or its environment that speak of models. */
const OF_MODELS =
  /\b(cuda|gpu|torch|whisper|asr|tts|stt|speech|diffus|embed|rerank|llm|infer|transformers|hf_home|huggingface|vlm|ocr|xtts|kokoro|qwen|triton|tei|infinity)/i;

/** The last of the table: whatever listens at a port that it is told, and nobody else knows. */
export const http: Recognise = (program, flags) => {
  const { name, args, path } = program;
  const isServer = SERVERS.test(name);
  const isScript = name.endsWith('.py') && flags.value('--port') !== undefined;
  const isModels = OWN_SERVERS.test(name);
  if (!isServer && !isScript && !isModels) return undefined;
  const bind = flags.value('-b', '--bind');
  const socket = flags.value('--uds') ?? /^unix:(.+)$/.exec(bind ?? '')?.[1];
  const [, host, port] = /^(.*):(\d+)$/.exec(bind ?? '') ?? [];
  const asked = { host: flags.value('--host', '-h') ?? host, port: flags.value('--port', '-p') ?? port };
  const found: Found = {
    engine: 'http',
    listen: socket ? { socket } : listenOf(program, asked, isServer && name !== 'flask' ? 8000 : 5000),
    ...tlsOf(flags),
    ...given({
      model: known(flags.value('--model', '--model-id', '--model-name')),
      container: program.container?.image,
    }),
    spread: 1,
    ...visibleTo(program),
    sleeps: false,
    lacks: [],
    usesGpu: isModels || saysGpu(program) || speaksOfModels([path, name, ...args].join(' ')),
  };
  return found;
};

/** HTTP servers of models that are no engine of ours. */
const OWN_SERVERS =
  /^(text-embeddings-router|text-generation-launcher|infinity_emb|whisper-server|sd-server|lmdeploy|speaches|faster-whisper-server|tritonserver|ktransformers)$/;

function saysGpu({ env, container }: Program): boolean {
  if (container?.gpus) return true;
  return Object.keys(env).some((name) => /^(CUDA|HIP|ROCR|NVIDIA_VISIBLE|HF_|TRANSFORMERS_|TORCH)/.test(name));
}

/** What `config.yml` of TabbyAPI says, as far as it matters here. */
export function tabbySettings(text: string): Program['args'] {
  const at = (key: string) => new RegExp(`^\\s+${key}:\\s*["']?([^\\s"'#]+)`, 'm').exec(text)?.[1];
  return ['host', 'port', 'model_name'].flatMap((key) => {
    const value = at(key);
    return value === undefined ? [] : [`--${key}`, value];
  });
}

/** For the settings of a file: they stand before the options, which win. */
export const withSettings = (program: Program, settings: Program['args']): Found | undefined =>
  tabbyapi({ ...program, args: [...settings, ...program.args] }, flagsOf([...settings, ...program.args]));
