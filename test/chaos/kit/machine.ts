/** A machine in memory for one switch after another, each by a process of its own, with a disk that outlives them. */
import { exclusively } from '../../../src/app/exclusive.ts';
import { switchMode } from '../../../src/app/switch-mode.ts';
import { exitCodeOf, exitCodeOfResult } from '../../../src/cli/exit-code.ts';
import { GpumodError, isGpumodError } from '../../../src/core/errors.ts';
import type { Manifest } from '../../../src/core/model.ts';
import type { Event, SwitchResult } from '../../../src/core/report.ts';
import { GIB } from '../../../src/core/units.ts';
import { guard } from '../../../src/engines/guard.ts';
import type { Host } from '../../../src/execute/host.ts';
import type { FileLocks } from '../../../src/io/file-lock.ts';
import { FileFailure } from '../../../src/io/files.ts';
import type { PrivateFolder } from '../../../src/io/private-folder.ts';
import { openState } from '../../../src/state/state.ts';
import { http, manifest, mode, none, vllm } from '../../fakes/build.ts';
import { type Trouble, type World, world } from '../../fakes/world.ts';
import type { Random } from '../../unit/plan/kit/random-box.ts';
import { type Fail, type Interference, type Watch, watch } from './effects.ts';

const CARD = 13 * GIB;

export const BOX: Manifest = manifest(
  [
    vllm('chat'),
    vllm('embed', { idle: 'stop' }),
    http('asr', { sleep: [], wake: [] } as never),
    none('train', { idle: 'stop' }),
  ],
  [mode('talk', ['chat', 'asr']), mode('find', ['embed', 'chat']), mode('learn', ['train'], { warm: ['chat'] })],
);
export const TARGETS = ['talk', 'find', 'learn', 'off'] as const;

/** What a switch is up against, from a seed. */
export interface Case {
  readonly states: Readonly<Record<string, 'awake' | 'asleep' | 'stopped'>>;
  readonly troubles: Readonly<Record<string, Trouble>>;
  readonly target: string;
  readonly next: string;
  readonly cold: boolean;
  readonly onFailure: 'restore' | 'leave';
}

/** Bad engines that the next switch finds mended. */
const TROUBLES: readonly Trouble[] = [
  { sleepRefused: true },
  { sleepLies: true },
  { sleepFreesNothing: true },
  { leaks: 1.5 * GIB },
  { wakeRefused: true },
  { wakeRefused: 'room' },
  { diesAtStart: true },
  { diesAtStart: 'loop' },
  { diesWhileLoading: true },
  { onTheCpu: true },
  { neverReady: 'silent' },
  { neverReady: 'garbled' },
  { stopFails: true },
  { inFlight: 2 },
];

export function randomCase(random: Random): Case {
  const names = [...BOX.services.keys()];
  const states: Record<string, 'awake' | 'asleep' | 'stopped'> = {};
  for (const name of names) states[name] = random.pick(['asleep', 'stopped', 'stopped']);
  if (states['train'] === 'asleep') states['train'] = 'stopped';
  for (let i = 0; i < 2; i++) states[random.pick(names)] = 'awake'; // two fit beside two sleepers
  const troubles = random.chance(0.4) ? { [random.pick(names)]: random.pick(TROUBLES) } : {};
  return {
    states,
    troubles,
    target: random.pick(TARGETS),
    next: random.pick(TARGETS),
    cold: random.chance(0.2),
    onFailure: random.chance(0.8) ? 'restore' : 'leave',
  };
}

export type Disk = 'sound' | 'full' | 'rubbish';

/** A folder in memory. Full: what is there can be read, and nothing be written. */
function memoryFolder(files: Map<string, string>, disk: () => Disk): PrivateFolder {
  const full = () => {
    if (disk() === 'full') throw new FileFailure('failed', 'ENOSPC: no space left on device');
  };
  const read = async (name: string) => {
    const text = disk() === 'rubbish' ? '{"version":1,"steps":[null]}' : files.get(name);
    if (text === undefined) throw new FileFailure('missing', 'ENOENT');
    return text;
  };
  return {
    path: '/state',
    read,
    tail: read,
    async write(name, text) {
      full();
      files.set(name, text);
    },
    async append(name, line) {
      full();
      files.set(name, (files.get(name) ?? '') + line);
      return files.get(name)?.length ?? 0;
    },
    async remove(name) {
      files.delete(name);
    },
    async prepare() {
      full();
    },
  };
}

export interface Ended {
  /** Exit code; `died` by force. */
  readonly code: number | 'died';
  readonly result?: SwitchResult;
  readonly events: readonly Event[];
  readonly watch: Watch;
}

export interface Meddling {
  readonly at: number;
  readonly what: Interference;
}

export interface Machine {
  readonly world: World;
  readonly files: Map<string, string>;
  disk: Disk;
  /** Added to the wall clock, anew at each look at it. */
  jump: () => number;
  /** By a new process. Anything but a known error is thrown. */
  switchTo(target: string, options: Partial<Pick<Case, 'cold' | 'onFailure'>>, meddling?: Meddling): Promise<Ended>;
  mend(): void;
  /** `chat: awake`; what is down is `stopped`. */
  truth(): ReadonlyMap<string, string>;
}

export function machineOf({ states, troubles }: Case): Machine {
  const here = world(BOX, states, troubles, CARD);
  const files = new Map<string, string>();
  const living = new Set<number>();
  let lockedBy: number | undefined;
  let pids = 100;
  const locks = (pid: number): FileLocks => ({
    async take() {
      if (lockedBy !== undefined && living.has(lockedBy)) return undefined;
      lockedBy = pid;
      return {
        async write() {},
        async release() {
          lockedBy = undefined;
        },
      };
    },
  });
  const never = new AbortController().signal;
  const raw = here.host;

  const hostOf = (pid: number, seen: Watch, machine: Machine): Host => {
    const clock: Host['clock'] = {
      ...raw.clock,
      nowMs: () => raw.clock.nowMs() + machine.jump(),
      async sleep(ms, signal) {
        await seen.alive();
        await raw.clock.sleep(ms, signal);
        await seen.alive();
      },
    };
    const folder = seen.part(
      memoryFolder(files, () => machine.disk),
      FAIL.file,
    );
    const state = openState({
      locks: locks(pid),
      processes: {
        bootId: () => 'boot',
        stat: (of) => (living.has(of) ? `${of} (gpumod) S ${'0 '.repeat(18)}1 0` : ''),
      },
      nowMs: clock.nowMs,
      pid,
      uid: 1000,
      stateFolder: folder,
      runtimeFolder: folder,
    });
    return {
      ...raw,
      ...state,
      clock,
      units: async (scope) => seen.part(await raw.units(scope), FAIL.bus),
      journal: async (scope) => seen.part(await raw.journal(scope), FAIL.journal),
      driver: async (service) => guard(seen.part(await raw.driver(service), FAIL.engine), clock),
      telemetry: seen.part(raw.telemetry, FAIL.tool),
    };
  };

  const machine: Machine = {
    world: here,
    files,
    disk: 'sound',
    jump: () => 0,
    async switchTo(target, { cold = false, onFailure = 'restore' }, meddling) {
      const pid = pids++;
      living.add(pid);
      const stop = new AbortController();
      const seen = watch({
        ...(meddling ?? { at: 0, what: 'fails' }),
        interrupt: () => stop.abort(new GpumodError('interrupted', { signal: 'SIGINT' })),
        tick: () => raw.clock.sleep(1000, never),
        check: async () => {
          const { gpus } = (await raw.telemetry.read(never)) as { gpus: readonly { freeBytes: number }[] };
          if ((gpus[0]?.freeBytes ?? 0) < 0) throw new Error('the card is over-committed');
        },
      });
      const events: Event[] = [];
      const host = hostOf(pid, seen, machine);
      const options = { cold, force: false, onFailure, stop: stop.signal } as const;
      const notify = (event: Event) => void events.push(event);
      const lock = { command: `mode switch ${target}`, waitMs: 0, signal: stop.signal };
      const run = exclusively(host, lock, notify, () => switchMode(BOX, target, options, host, notify)).then(
        (result) => ({ code: exitCodeOfResult(result), result }),
        (error: unknown) => {
          if (!isGpumodError(error)) throw error;
          return { code: exitCodeOf(error) };
        },
      );
      const ended = await Promise.race([run, seen.died]);
      living.delete(pid);
      return { ...(ended === 'died' ? { code: 'died' as const } : ended), events, watch: seen };
    },
    mend() {
      for (const name of BOX.services.keys()) {
        const trouble = here.trouble(name) as Record<string, unknown>;
        for (const key of Object.keys(trouble)) delete trouble[key];
      }
      machine.disk = 'sound';
      machine.jump = () => 0;
    },
    truth: () =>
      new Map(
        here
          .states()
          .split(' ')
          .map((each) => [nameIn(each), stateIn(each)]),
      ),
  };
  return machine;
}

const nameIn = (each: string): string => each.split(':')[0] ?? '';
const stateIn = (each: string): string => (each.split(':')[1] ?? '').replace(/failed|activating/, 'stopped');

/** As the real parts fail: some throw, some tell it. */
const FAIL = {
  file: () => {
    throw new FileFailure('failed', 'EIO: i/o error');
  },
  bus: () => {
    throw new GpumodError('bus-unreachable', { scope: 'user', address: 'unix:path=/x', reason: 'gone' });
  },
  journal: () => [],
  tool: () => ({ kind: 'unmeasured', why: { code: 'tool-failed' } }),
  engine: (name: string) => {
    if (name === 'probe') return { kind: 'silent', why: { code: 'no-answer' } };
    if (name === 'inFlight' || name === 'examine') return undefined;
    throw new GpumodError('engine-unreachable', { service: 'x', request: `POST /${name}`, reason: 'ECONNRESET' });
  },
} satisfies Readonly<Record<string, Fail>>;
