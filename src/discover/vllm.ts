/** vLLM's and SGLang's command lines. Pure. */
import { given } from '../core/given.ts';
import type { Flags } from './flags.ts';
import { type Found, isLoopback, keyOf, known, type Listen, listenOf, type Recognise, visibleTo } from './found.ts';
import type { Program } from './program.ts';

const VLLM_MODULE =
  /^(vllm|aphrodite)\.(entrypoints\.(openai\.)?(api_server|cli\.main)|endpoints\.openai\.api_server)$/;
/** Images whose entry point is the server. */
const VLLM_IMAGE = /(^|\/)(vllm-openai|vllm|vllm-ascend|aphrodite-engine)[\w.-]*$/;

export const vllm: Recognise = (program, flags) => {
  const { name, args, container } = program;
  const byName = (name === 'vllm' && args[0] === 'serve') || (name === 'aphrodite' && args[0] === 'run');
  const byImage = name === '' && container !== undefined && VLLM_IMAGE.test(container.image);
  if (!byName && !byImage && !VLLM_MODULE.test(name)) return undefined;
  const isAphrodite = name.startsWith('aphrodite');
  const socket = flags.value('--uds');
  const asked = { host: flags.value('--host') ?? '0.0.0.0', port: flags.value('--port') };
  const listen: Listen = socket ? { socket } : listenOf(program, asked, isAphrodite ? 2242 : 8000);
  const isDev = Number(program.env['VLLM_SERVER_DEV_MODE'] ?? '0') === 1;
  const lacks = [
    ...(flags.has('--enable-sleep-mode') ? [] : ['--enable-sleep-mode']),
    ...(isDev ? [] : ['VLLM_SERVER_DEV_MODE=1']),
  ];
  const cards = ['--tensor-parallel-size', '--pipeline-parallel-size', '--data-parallel-size'].reduce(
    (product, flag) => product * (flags.count(flag, SHORT[flag] ?? flag) ?? 1),
    1,
  );
  return {
    engine: 'vllm',
    listen,
    ...tlsOf(flags),
    ...given({
      model: known(modelOf(program, flags)),
      servedName: known(flags.value('--served-model-name')),
      key: keyOf(flags.value('--api-key'), program.env, 'VLLM_API_KEY'),
      container: container?.image,
    }),
    ...utilizationIn(flags),
    spread: cards,
    ...visibleTo(program),
    sleeps: lacks.length === 0,
    lacks,
    ...(isDev && 'host' in listen && !isLoopback(listen.host) ? { isExposed: true } : {}),
  };
};

const SHORT: Readonly<Record<string, string>> = {
  '--tensor-parallel-size': '-tp',
  '--pipeline-parallel-size': '-pp',
  '--data-parallel-size': '-dp',
};

/** `vllm serve MODEL`, `--model MODEL`; some images take the model first. */
function modelOf({ name, args }: Program, flags: Flags): string | undefined {
  const first = name === 'vllm' || name === 'aphrodite' ? args[1] : name === '' ? args[0] : undefined;
  return first === undefined || first.startsWith('-') ? flags.value('--model') : first;
}

/** Newer ones take 0.92. */
const DEFAULT_SHARE = 0.9;

function utilizationIn(flags: Flags): Pick<Found, 'utilization' | 'isDefaultShare'> {
  const said = share(flags.value('--gpu-memory-utilization', '-gmu'));
  return said === undefined ? { utilization: DEFAULT_SHARE, isDefaultShare: true } : { utilization: said };
}

function share(text: string | undefined): number | undefined {
  const number = Number(text ?? Number.NaN);
  return number > 0 && number <= 1 ? number : undefined;
}

export function tlsOf(flags: Flags): { tls?: true } {
  return flags.has('--ssl-keyfile', '--ssl-certfile', '--ssl-key-file', '--ssl-cert-file') ? { tls: true } : {};
}

export const sglang: Recognise = (program, flags) => {
  const { name, args, container } = program;
  const byName = name === 'sglang.launch_server' || (name === 'sglang' && args[0] === 'serve');
  const byImage = name === '' && container !== undefined && /(^|\/)sglang$/.test(container.image);
  if (!byName && !(byImage && flags.has('--model-path', '--model'))) return undefined;
  const lacks = flags.has('--enable-memory-saver') ? [] : ['--enable-memory-saver'];
  const cards =
    (flags.count('--tp-size', '--tensor-parallel-size', '--tp') ?? 1) *
    (flags.count('--pp-size', '--pipeline-parallel-size') ?? 1);
  const found: Found = {
    engine: 'sglang',
    listen: listenOf(program, { host: flags.value('--host'), port: flags.value('--port') }, 30000),
    ...tlsOf(flags),
    ...given({
      model: known(flags.value('--model-path', '--model')),
      servedName: known(flags.value('--served-model-name')),
      utilization: share(flags.value('--mem-fraction-static')),
      key: keyOf(flags.value('--api-key'), program.env),
      adminKey: keyOf(flags.value('--admin-api-key'), program.env),
      container: container?.image,
    }),
    spread: cards,
    ...visibleTo(program),
    sleeps: lacks.length === 0,
    lacks,
  };
  return found;
};
