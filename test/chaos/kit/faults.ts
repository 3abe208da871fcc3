/** What goes wrong while gpumod works: each fault strikes, names the services it touches, and is undone afterwards. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Running } from '../../kit/cli.ts';
import { systemctl, until } from '../../kit/llama-unit.ts';
import type { Random } from '../../unit/plan/kit/random-box.ts';
import { type ChaosBox, SERVICES } from './box.ts';

export interface Scene {
  readonly box: ChaosBox;
  readonly random: Random;
  /** The service that a fault of engines or units is for. */
  readonly victim: string;
  /** The commands at work; none before they begin. */
  readonly running: readonly Running[];
}

export interface Struck {
  /** Services whose state is no longer gpumod's doing alone. */
  readonly services?: readonly string[];
  /** For the commands' environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The commands whose promise about what is left behind is off: they were killed. */
  readonly killed?: readonly Running[];
  undo?(): Promise<void>;
}

export interface Fault {
  /** `during`: at a random instant while the commands work. */
  readonly at: 'before' | 'during';
  /** What it changes for all the others: two faults of one thing would spoil each other. */
  readonly of?: 'unit file' | 'state folder' | 'machinery';
  strike(scene: Scene): Promise<Struck>;
}

const before = (strike: Fault['strike']): Fault => ({ at: 'before', strike });
const during = (strike: Fault['strike']): Fault => ({ at: 'during', strike });

/** The victim's unit in another way; mended afterwards, and what it left in systemd with it. */
const unit = (spoil: (scene: Scene, file: string, text: string) => Promise<void> | void): Fault => ({
  at: 'before',
  of: 'unit file',
  async strike(scene) {
    const { box, victim } = scene;
    const file = box.unitFile(victim);
    await spoil(scene, file, readFileSync(file, 'utf8'));
    await systemctl('daemon-reload');
    return {
      services: [victim],
      async undo() {
        rmSync(file, { force: true });
        box.forgetMood(victim);
        await box.write(victim);
        if ((await stateOf(box, victim)) !== 'deactivating') return;
        await systemctl('kill', '-s', 'KILL', box.unitOf(victim)); // as its owner would
        await until(
          () => stateOf(box, victim),
          (state) => state !== 'deactivating',
        );
      },
    };
  },
});

const stateOf = (box: ChaosBox, service: string) => systemctl('show', '-P', 'ActiveState', box.unitOf(service));

const mood = (words: string): Fault =>
  during(async ({ box, victim }) => {
    await box.mood(victim, words);
    // An engine that runs stays as it is: the next switch has to cope with it.
    return { services: [victim], undo: async () => box.forgetMood(victim) };
  });

const tool = (how: string): Fault => before(async () => ({ env: { GPUMOD_SIM_SMI: how } }));

const signals = (...names: readonly NodeJS.Signals[]): Fault =>
  during(async ({ running, random }) => {
    const one = random.pick(running);
    for (const name of names) one.child.kill(name);
    // The second one ends it at once: it can't say anything any more.
    return names.length > 1 || names[0] === 'SIGKILL' ? { killed: [one] } : {};
  });

/** Stops a process of the machinery for a while; it goes on afterwards in any case. */
const frozen = (pidOf: () => Promise<number>): Fault => ({
  at: 'during',
  of: 'machinery',
  async strike({ random }) {
    const pid = await pidOf();
    process.kill(pid, 'SIGSTOP');
    const thaw = () => {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {} // it is gone
    };
    if (random.chance(0.5)) setTimeout(thaw, random.int(50, 2500));
    return { undo: async () => thaw() };
  },
});

/** A command stands still for a while, and holds what it holds. */
const paused: Fault = during(async ({ running, random }) => {
  const { child } = random.pick(running);
  child.kill('SIGSTOP');
  setTimeout(() => child.kill('SIGCONT'), random.int(50, 5000));
  return {};
});

/** It is started where nobody has needed it since it was killed: a signal to 0 would be to us. */
const busPid = async () => {
  await systemctl('start', 'dbus.service');
  const pid = Number(await systemctl('show', '-P', 'MainPID', 'dbus.service'));
  if (!(pid > 0)) throw new Error('there is no bus');
  return pid;
};
const managerPid = async () =>
  Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${await busPid()}/status`, 'utf8'))?.[1]);

const folder = (spoil: (path: string, random: Random) => void, at: Fault['at'] = 'before'): Fault => ({
  at,
  of: 'state folder',
  async strike({ box, random }) {
    const path = box.stateFolder;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    spoil(path, random);
    return {
      async undo() {
        if (existsSync(path)) chmodSync(path, 0o700);
      },
    };
  },
});

/** A file system of 64 KiB that the sandbox has for this. */
const SMALL_DISK = '/run/small-disk';

export const FAULTS: Readonly<Record<string, Fault>> = {
  killed: signals('SIGKILL'),
  SIGINT: signals('SIGINT'),
  SIGTERM: signals('SIGTERM'),
  SIGHUP: signals('SIGHUP'),
  'SIGINT twice': signals('SIGINT', 'SIGINT'),
  'SIGTERM, SIGINT': signals('SIGTERM', 'SIGINT'),
  'engine crashes': during(async ({ box, victim }) => {
    await systemctl('kill', '-s', 'KILL', box.unitOf(victim)).catch(() => {});
    return { services: [victim] };
  }),
  'engine hangs': mood('hang'),
  'engine answers half': mood('garble'),
  'engine answers without end': mood('flood'),
  'engine refuses with 500': mood('fail'),
  'engine lies with 200': mood('lie'),
  'engine never answers a call': mood('stall'),
  'engine cuts a call': mood('drop'),
  'engine does it and never answers': mood('mute'),
  'engine leaks': unit(({ box, victim }) => box.write(victim, '--residual', '3000MiB')),
  'engine is slow': unit(({ box, victim, random }) => {
    const ms = String(random.int(500, 3000));
    return box.write(victim, ...['start', 'load', 'sleep', 'wake', 'stop'].flatMap((what) => [`--${what}-ms`, ms]));
  }),
  'unit fails': unit(({ box, victim }) => box.write(victim, '--fail', 'exit')),
  'unit is out of memory': unit(({ box, victim }) => box.write(victim, '--fail', 'oom')),
  'unit is masked': unit((_, file) => {
    rmSync(file);
    symlinkSync('/dev/null', file);
  }),
  'unit file is missing': unit((_, file) => rmSync(file)),
  'unit restarts for ever': unit(async ({ box, victim }, file) => {
    await box.write(victim, '--fail', 'exit');
    writeFileSync(file, readFileSync(file, 'utf8').replace('[Service]', '[Service]\nRestart=always\nRestartSec=200ms'));
    await systemctl('daemon-reload');
    await systemctl('restart', box.unitOf(victim)).catch(() => {});
  }),
  'unit hit its start limit': unit(async ({ box, victim }, file, text) => {
    const limit = '[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\n';
    writeFileSync(file, limit + text.replace(/ExecStart=.*/, 'ExecStart=/bin/false'));
    await systemctl('daemon-reload');
    for (let i = 0; i < 2; i++) await systemctl('restart', box.unitOf(victim)).catch(() => {});
    writeFileSync(file, limit + text); // it would start now
  }),
  'unit does not stop': unit(async ({ box, victim }, file, text) => {
    writeFileSync(file, text.replace('TimeoutStopSec=5', 'TimeoutStopSec=300'));
    await systemctl('daemon-reload');
    await box.mood(victim, 'deaf');
  }),
  'bus restarts': {
    at: 'during',
    of: 'machinery',
    async strike() {
      process.kill(await busPid(), 'SIGKILL');
      return {};
    },
  },
  'bus is frozen': frozen(busPid),
  'systemd is frozen': frozen(managerPid),
  'systemd executes itself anew': {
    at: 'during',
    of: 'machinery',
    async strike() {
      await systemctl('daemon-reexec');
      return {};
    },
  },
  'systemd reloads': {
    at: 'during',
    of: 'machinery',
    async strike() {
      await systemctl('daemon-reload');
      return {};
    },
  },
  'somebody stops a service': during(async ({ box, victim }) => {
    await systemctl('stop', box.unitOf(victim));
    return { services: [victim] };
  }),
  'a command is stopped for a while': paused,
  'GPU tool hangs': tool('hang'),
  'GPU tool fails': tool('fail'),
  'GPU tool tells rubbish': tool('garbage'),
  'GPU tool tells no figures': tool('na'),
  'disk is full': before(async () => {
    mkdirSync(SMALL_DISK, { recursive: true });
    execFileSync('sh', ['-c', `head -c 1M /dev/zero >${SMALL_DISK}/ballast 2>&1 || true`]);
    return {
      env: { XDG_STATE_HOME: `${SMALL_DISK}/state` },
      async undo() {
        rmSync(`${SMALL_DISK}/ballast`, { force: true });
        rmSync(`${SMALL_DISK}/state`, { recursive: true, force: true });
      },
    };
  }),
  'state folder is read-only': folder((path) => chmodSync(path, 0o500)),
  'state folder is deleted': folder((path) => rmSync(path, { recursive: true, force: true, maxRetries: 9 }), 'during'),
  'state folder holds rubbish': folder((path, random) => {
    const rubbish = random.pick([
      '',
      '\0\xff',
      '{"version":1',
      '[]',
      '{"version":1,"steps":[null]}\n',
      'x'.repeat(100_000),
    ]);
    mkdirSync(`${path}/services`, { recursive: true });
    const names = ['switch.json', 'history.jsonl', 'last-mode', ...SERVICES.map((name) => `services/${name}.json`)];
    for (const name of names) writeFileSync(`${path}/${name}`, rubbish, { mode: 0o600 });
  }),
};

export const FAULT_NAMES = Object.keys(FAULTS);
