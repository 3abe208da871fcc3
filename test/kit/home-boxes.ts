/** Boxes to look at: what the home page is to be legible with. */
import type { Status } from '../../src/app/status.ts';
import { attributionOf } from '../../src/core/attribution.ts';
import type { GpuProcess } from '../../src/core/facts.ts';
import { type HistoryEntry, RECORD_VERSION } from '../../src/core/record.ts';
import type { ObservedService } from '../../src/core/state.ts';
import { GIB } from '../../src/core/units.ts';
import { llamacpp, manifest, mode, none, observation, type States, vllm } from '../fakes/build.ts';

const NOW_MS = 1_763_737_200_000;
const USER = '/user.slice/user-1000.slice/user@1000.service/app.slice';

const gib = (awake: number, asleep?: number) => ({
  memory: { awakeBytes: awake * GIB, ...(asleep === undefined ? {} : { asleepBytes: asleep * GIB }) },
});

const box = manifest(
  [
    llamacpp('glm-code', gib(19.5, 0.6)),
    vllm('vllm-chat', { url: 'http://127.0.0.1:7071', ...gib(6.8, 1.1) }),
    vllm('vllm-embedding', { url: 'http://127.0.0.1:8200', ...gib(4.9, 1.2) }),
    vllm('vllm-embedding-code', { url: 'http://127.0.0.1:8210', ...gib(2.4) }),
    vllm('vllm-reranker', { url: 'http://127.0.0.1:8201', gpus: [1], ...gib(5.9) }),
    none('trainer', { gpus: [0, 1], ...gib(12) }),
  ],
  [
    mode('code', ['glm-code', 'vllm-embedding-code'], { description: 'Coding: completion and search' }),
    mode('rag', ['vllm-embedding', 'vllm-reranker'], { warm: ['vllm-chat'] }),
  ],
);

const process = (name: string, bytes: number, gpu = 0): GpuProcess => ({
  gpu,
  pid: 4000 + name.length,
  bytes: bytes * GIB,
  command: name,
  cgroup: `${USER}/${name}.service`,
});
const foreign: GpuProcess = {
  gpu: 1,
  pid: 91_201,
  bytes: 3.2 * GIB,
  command: 'python3 -m jupyter lab --no-browser --notebook-dir /home/someone/notebooks/experiments',
  cgroup: '/user.slice/session-2.scope',
  otherUid: 1001,
};

const last: HistoryEntry = {
  version: RECORD_VERSION,
  id: 'abc',
  command: 'mode switch rag',
  target: 'rag',
  isMode: true,
  from: 'code',
  beganMs: NOW_MS - 731_000,
  before: {},
  steps: [],
  end: 'reached',
  durationSeconds: 6.4,
  plannedSeconds: 6,
};

interface Told {
  readonly states: States;
  readonly processes: readonly GpuProcess[];
  readonly current: Status['current'];
}

function statusOf({ states, processes, current }: Told, more: Partial<Status> = {}): Status {
  const used = (gpu: number) =>
    processes.filter((each) => each.gpu === gpu).reduce((sum, { bytes }) => sum + (bytes ?? 0), 0.4 * GIB);
  const gpus = [0, 1].map((index) => ({
    index,
    name: 'NVIDIA GeForce RTX 4090',
    uuid: `GPU-${index}`,
    totalBytes: 24 * GIB,
    usedBytes: used(index),
    freeBytes: 24 * GIB - used(index),
  }));
  const seen = observation(states, { kind: 'measured', gpus, processes });
  const services = [...seen.services].map(([name, one], i): readonly [string, ObservedService] => {
    const unit = one.unit && { ...one.unit, activeSinceMs: NOW_MS - 90_000 * 3 ** i };
    return [name, { ...one, ...(unit ? { unit } : {}), engine: { kind: 'ready', version: '0.24.0', nap: one.nap } }];
  });
  const now = { ...seen, atMs: NOW_MS, services: new Map(services) };
  const held = attributionOf(box, now);
  return { manifest: box, now, current, last, ...(held ? { held } : {}), ...more };
}

const coding: Told = {
  states: {
    'glm-code': 'awake',
    'vllm-chat': { kind: 'sleeping', level: 1 },
    'vllm-embedding': 'stopped',
    'vllm-embedding-code': 'awake',
    'vllm-reranker': 'stopped',
    trainer: 'stopped',
  },
  processes: [process('glm-code', 19.4), process('vllm-chat', 1.1), process('vllm-embedding-code', 2.4)],
  current: { kind: 'mode', mode: 'code', also: [] },
};

const loop = { code: 'auto-restart', detail: '1' };

/** Well; half broken; a switch at work; and one that died. */
export const boxes = {
  well: statusOf(coding),
  broken: statusOf(
    {
      states: {
        'glm-code': { kind: 'unhealthy', why: { code: 'port-taken', detail: 'pid 8812: /usr/bin/ollama serve' } },
        'vllm-chat': { kind: 'sleeping', level: 2 },
        'vllm-embedding': { kind: 'failed', why: loop },
        'vllm-embedding-code': 'awake',
        'vllm-reranker': 'starting',
        trainer: { kind: 'failed', why: { code: 'unit-not-found' } },
      },
      processes: [
        process('vllm-chat', 1.9),
        process('vllm-embedding-code', 3.1),
        process('vllm-reranker', 2.2, 1),
        foreign,
      ],
      current: { kind: 'none', nearest: 'rag', differs: ['vllm-embedding', 'vllm-embedding-code', 'glm-code'] },
    },
    { last: { ...last, end: 'restored', error: { code: 'unit-failed', details: {} } } },
  ),
  drifted: statusOf({ ...coding, processes: [...coding.processes, process('vllm-embedding-code', 1.2), foreign] }),
  idle: statusOf({
    states: Object.fromEntries([...box.services.keys()].map((name) => [name, 'stopped'])),
    processes: [],
    current: { kind: 'mode', mode: 'off', also: [] },
  }),
  busy: statusOf(
    { ...coding, current: { kind: 'none', nearest: 'code', differs: ['vllm-chat'] } },
    { holder: { pid: 4711, life: '1', command: 'mode switch rag', sinceMs: NOW_MS - 3200 } },
  ),
  died: statusOf(coding, {
    underway: {
      isAtWork: false,
      entry: { ...last, phase: 'switch', by: { pid: 4711, life: '1', command: 'mode switch rag', sinceMs: 0 } },
    },
  }),
} as const;
