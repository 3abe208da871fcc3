/** The real machine: systemd over D-Bus, engines over HTTP, the GPU tool; each part is loaded and opened on first use. */
import { GpumodError } from './core/errors.ts';
import type { EngineName, Manifest, Scope, Secret } from './core/model.ts';
import type { Driver } from './engines/driver.ts';
import type { Host } from './execute/host.ts';
import { openNvidia } from './gpu/nvidia.ts';
import { systemClock } from './io/clock.ts';
import { type Files, systemFiles } from './io/files.ts';
import type { Http } from './io/http.ts';
import { openRun } from './io/run.ts';
import { openLastMode } from './state/last-mode.ts';
import type { Journal, Units } from './systemd/units.ts';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly home: string;
}

export function openRealHost(manifest: Manifest, { env, uid, home }: Surroundings): Host {
  const clock = systemClock;
  const run = openRun(env);
  const closers: (() => Promise<void>)[] = [];

  const units = once(async (scope: Scope): Promise<Units> => {
    const [{ openSystemd }, { busAddress }, { connectBus }, { pathFacts }] = await Promise.all([
      import('./systemd/systemd.ts'),
      import('./systemd/address.ts'),
      import('./io/bus.ts'),
      import('./io/path-facts.ts'),
    ]);
    const opened = openSystemd({
      scope,
      clock,
      connect: connectBus,
      address: () => busAddress(scope, { env, uid, look: pathFacts }),
    });
    closers.push(() => opened.close());
    return opened;
  });

  const client = once(async (_: 'http'): Promise<Http> => {
    const { openHttp } = await import('./io/http.ts');
    const http = openHttp();
    closers.push(() => http.close());
    return http;
  });

  const driver = once(async (engine: EngineName): Promise<Driver> => {
    const [{ openDriver }, http] = await Promise.all([import('./engines/registry.ts'), client('http')]);
    return openDriver(engine, {
      http,
      clock,
      secret: (secret, service) => readSecret(secret, service, env, systemFiles),
    });
  });

  // The dearest part to load, and the bus takes its time to connect: begin both at once.
  for (const engine of new Set([...manifest.services.values()].map((service) => service.engine)))
    if (engine !== 'none') driver(engine).catch(() => {});

  return {
    clock,
    units,
    journal: once(async (scope: Scope): Promise<Journal> => {
      const { openJournal } = await import('./systemd/journal.ts');
      return openJournal({ scope, run, clock });
    }),
    driver: (service) => driver(service.engine),
    telemetry: openNvidia(run),
    lastMode: openLastMode(systemFiles, `${env['XDG_STATE_HOME'] || `${home}/.local/state`}/gpumod`),
    async close() {
      await Promise.all(closers.splice(0).map((close) => close()));
    },
  };
}

const SECRET_BYTES = 64 * 1024;

async function readSecret(secret: Secret, service: string, env: Surroundings['env'], files: Files): Promise<string> {
  const text = 'env' in secret ? env[secret.env] : await files.read(secret.file, SECRET_BYTES).catch(() => undefined);
  if (text?.trim()) return text.trim();
  throw new GpumodError('secret-missing', { service, where: 'env' in secret ? `$${secret.env}` : secret.file });
}

/** Remembers the promise for each key. */
function once<K, V>(make: (key: K) => Promise<V>): (key: K) => Promise<V> {
  const made = new Map<K, Promise<V>>();
  return (key) => {
    const known = made.get(key) ?? make(key);
    made.set(key, known);
    return known;
  };
}
