/** The workstation of modes/workstation.yaml as real user units that run simulated engines on one simulated card. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isServed, type Manifest, type Service } from '../../src/core/model.ts';
import { type Card, startCard } from '../../src/demo/card.ts';
import { systemFiles } from '../../src/io/files.ts';
import { loadManifest } from '../../src/manifest/load.ts';
import { systemctl } from './llama-unit.ts';

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const ENGINE = path('dist/sim-engine.js');
const GIB = 2 ** 30;

export interface SimUnits {
  readonly manifest: Manifest;
  readonly manifestPath: string;
  readonly card: Card;
  /** For the program: a `nvidia-smi` that reads this card is on its PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where it keeps what outlives a command. */
  readonly stateFolder: string;
  /** Writes a service's unit anew, with further arguments of its engine. */
  write(service: string, ...args: readonly string[]): Promise<void>;
  stopAll(): Promise<void>;
  remove(): Promise<void>;
}

/** Millis that each kind of act takes: short, so that a dozen switches take seconds. */
const QUICK = ['--start-ms', '150', '--load-ms', '100', '--sleep-ms', '60', '--wake-ms', '60', '--reload-ms', '60'];

export async function simUnits(
  cardBytes: number = 24 * GIB,
  manifestPath: string = path('modes/workstation.yaml'),
): Promise<SimUnits> {
  const manifest = await loadManifest({ path: manifestPath, env: {}, home: homedir(), files: systemFiles });
  const folder = mkdtempSync(join(tmpdir(), 'gpumod-sim-'));
  const socketPath = join(folder, 'card.sock');
  const card = await startCard({ gpus: [{ totalBytes: cardBytes }], socketPath });
  mkdirSync(join(folder, 'bin'));
  symlinkSync(path('test/fakes/nvidia-smi'), join(folder, 'bin/nvidia-smi'));
  const units = join(homedir(), '.config/systemd/user');
  mkdirSync(units, { recursive: true });

  const put = (service: Service, args: readonly string[]) => {
    const command = [process.execPath, ENGINE, ...engineArgs(service), '--card', socketPath, ...QUICK, ...args];
    writeFileSync(
      join(units, service.unit),
      `[Service]\nType=exec\nTimeoutStopSec=5\nExecStart=${command.join(' ')}\n`,
    );
  };
  const services = [...manifest.services.values()];
  for (const service of services) put(service, []);
  await systemctl('daemon-reload');
  const stopAll = async () => {
    await systemctl('stop', ...services.map((service) => service.unit));
    await systemctl('reset-failed');
  };
  return {
    manifest,
    manifestPath,
    card,
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      GPUMOD_MANIFEST: manifestPath,
      GPUMOD_SIM_CARD: socketPath,
      XDG_STATE_HOME: join(folder, 'state'),
    },
    stateFolder: join(folder, 'state/gpumod'),
    async write(name, ...args) {
      const service = manifest.services.get(name);
      if (!service) throw new Error(`no service ${name}`);
      put(service, args);
      await systemctl('daemon-reload');
    },
    stopAll,
    async remove() {
      await stopAll();
      for (const service of services) rmSync(join(units, service.unit));
      await systemctl('daemon-reload');
      await card.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function engineArgs(service: Service): readonly string[] {
  const port = isServed(service) ? ['--port', new URL(service.url).port] : [];
  const memory = [
    '--awake',
    `${service.memory.awakeBytes ?? 0}B`,
    '--residual',
    `${service.memory.asleepBytes ?? GIB}B`,
  ];
  switch (service.engine) {
    case 'vllm':
      return ['vllm', ...port, ...memory, ...(service.idle === 'sleep' ? [] : ['--no-dev'])];
    case 'llamacpp':
      return ['llama', ...port, ...memory, ...service.models.flatMap((model) => ['--model', model])];
    case 'http':
      return ['http', ...port, ...memory];
    case 'none':
      return ['none', ...memory];
    default:
      throw new Error(`no simulated ${service.engine}`);
  }
}
