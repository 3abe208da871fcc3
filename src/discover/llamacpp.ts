/** The command lines of engines that run GGUF files: llama-server, Ollama, KoboldCpp. Pure. */
import { given } from '../core/given.ts';
import type { Flags } from './flags.ts';
import { keyOf, known, listenOf, portOf, type Recognise, visibleTo } from './found.ts';
import type { Program } from './program.ts';
import { tlsOf } from './vllm.ts';

/** As it is told to llama-server: by an option, or by the variable of the same meaning. */
export const llamacpp: Recognise = (program, flags) => {
  const { name, env, container } = program;
  const byName = /^llama-server(-[\w.]+)?$/.test(name) || (name === 'llama' && program.args[0] === 'serve');
  const byImage = name === '' && container !== undefined && /llama\.cpp/.test(container.image);
  if (!byName && !byImage) return undefined;
  const { isRouter, file, repo, models } = modelsOf(program, flags);
  const layers = flags.value('-ngl', '--gpu-layers', '--n-gpu-layers') ?? env['LLAMA_ARG_N_GPU_LAYERS'];
  const devices = flags.value('-dev', '--device') ?? env['LLAMA_ARG_DEVICE'];
  const inline = flags.value('--api-key');
  const keyFile = known(flags.value('--api-key-file'));
  return {
    engine: 'llamacpp',
    listen: listenOf(
      program,
      { host: flags.value('--host') ?? env['LLAMA_ARG_HOST'], port: flags.value('--port') ?? env['LLAMA_ARG_PORT'] },
      8080,
    ),
    ...tlsOf(flags),
    ...given({
      models: isRouter ? models : undefined,
      model: isRouter ? undefined : (file ?? repo),
      servedName: known(flags.value('-a', '--alias')?.split(',')[0]),
      weights: isWhole(flags, layers) ? file : undefined,
      key: keyFile && inline === undefined ? { file: keyFile } : keyOf(inline, env, 'LLAMA_API_KEY'),
      container: container?.image,
    }),
    ...(flags.value('-sm', '--split-mode') === 'none' ? { spread: 1 } : { spread: 'all' as const }),
    ...visibleTo(program),
    ...devicesOf(devices),
    ...(layers === '0' || devices === 'none' ? { onProcessor: true } : {}),
    sleeps: isRouter,
    lacks: [],
  };
};

/** Without a model of its own it is a router. */
function modelsOf({ env }: Program, flags: Flags) {
  const file = known(flags.value('-m', '--model') ?? env['LLAMA_ARG_MODEL']);
  const repo = known(flags.value('-hf', '-hfr', '--hf-repo') ?? env['LLAMA_ARG_HF_REPO']);
  const isOne = flags.has('-m', '--model', '-hf', '-hfr', '--hf-repo', '-mu', '--model-url');
  const models = given({
    folder: known(flags.value('--models-dir') ?? env['LLAMA_ARG_MODELS_DIR']),
    preset: known(flags.value('--models-preset') ?? env['LLAMA_ARG_MODELS_PRESET']),
    max: flags.count('--models-max'),
  });
  return { isRouter: !isOne && !file && !repo, file, repo, models };
}

/** Where only some layers, or not all tensors, go to the card, the size of the file says little. */
function isWhole(flags: Flags, layers: string | undefined): boolean {
  const isSome = layers !== undefined && /^\d{1,2}$/.test(layers) && Number(layers) < MANY_LAYERS;
  return !isSome && !flags.has('-ot', '--override-tensor', '-cmoe', '--cpu-moe', '-ncmoe', '--n-cpu-moe');
}

const MANY_LAYERS = 99;

/** `CUDA0,CUDA1`, `Vulkan0`, `ROCm1`. */
function devicesOf(list: string | undefined): { visible?: readonly string[] } {
  const indices = (list ?? '').split(',').flatMap((name) => /^[A-Za-z]+(\d+)$/.exec(name)?.[1] ?? []);
  return indices.length > 0 ? { visible: indices } : {};
}

/** `OLLAMA_HOST`: `0.0.0.0`, `0.0.0.0:11434`, `http://host:port`, `:11434`. */
export const ollama: Recognise = (program) => {
  const { name, args, env, container } = program;
  const byName = name === 'ollama' && args[0] === 'serve';
  const byImage = name === '' && container !== undefined && /(^|\/)ollama$/.test(container.image);
  if (!byName && !byImage) return undefined;
  const text = (env['OLLAMA_HOST'] ?? '').replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? [];
  return {
    engine: 'ollama',
    listen: listenOf(program, { host: host || undefined, port }, 11434),
    models: given({ folder: known(env['OLLAMA_MODELS']) }),
    ...given({ container: container?.image }),
    spread: 'all',
    ...visibleTo(program),
    sleeps: true,
    lacks: [],
  };
};

export const koboldcpp: Recognise = (program, flags) => {
  const { name, args, container } = program;
  const byName = /^koboldcpp([-_.][\w.-]*)?(\.py)?$/.test(name);
  const byImage = name === '' && container !== undefined && /koboldcpp/.test(container.image);
  if (!byName && !byImage) return undefined;
  const [first, second] = args;
  const bare = first !== undefined && !first.startsWith('-') ? first : undefined;
  const file = known(flags.value('--model') ?? bare);
  const card = flags
    .values('--usecublas', '--usecuda', '--usevulkan', '--usehipblas')
    .find((word) => /^\d$/.test(word));
  const port = flags.value('--port') ?? (bare && portOf(second) ? second : undefined);
  const isRestartable = flags.has('--admin') && flags.has('--admindir');
  return {
    engine: 'koboldcpp',
    listen: listenOf(program, { host: flags.value('--host'), port }, 5001),
    ...given({
      model: file,
      weights: file?.endsWith('.gguf') ? file : undefined,
      key: keyOf(flags.value('--password'), program.env),
      adminKey: keyOf(flags.value('--adminpassword'), program.env),
      container: container?.image,
    }),
    spread: card === undefined ? 'all' : 1,
    ...visibleTo(program),
    ...(card === undefined ? {} : { visible: [card] }),
    sleeps: isRestartable,
    lacks: isRestartable ? [] : ['--admin', '--admindir'],
  };
};
