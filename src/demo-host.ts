/** The simulated machine: real planner, executor and drivers; the card, the engines and the unit manager are played. */
import type { Demo } from './app/demo.ts';
import { openCallLog } from './core/calls.ts';
import { openBox } from './demo/box.ts';
import type { DriverParts } from './engines/driver.ts';
import { recordedHttp } from './engines/on-record.ts';
import { openDriver } from './engines/registry.ts';
import { type Clock, systemClock } from './io/clock.ts';
import { systemFiles } from './io/files.ts';
import { openHttp } from './io/http.ts';
import type { Run } from './io/run.ts';
import { loadManifest } from './manifest/load.ts';
import { stateInMemory } from './state/in-memory.ts';
import { recordedUnits } from './systemd/on-record.ts';

/** Both lie beside the bundle this file becomes part of. */
const MANIFEST = new URL('../modes/workstation.yaml', import.meta.url).pathname;
const ENGINE = new URL('./sim-engine.js', import.meta.url).pathname;

/** A demo touches nothing of the machine. */
const NO_PROGRAMS: Run = { run: () => Promise.reject(new Error('a demo runs no programs')) };

export interface DemoOptions {
  readonly speed: number;
  /** The Node that runs the engines. */
  readonly node: string;
}

/** Of a real clock: looks cost the real machine something. */
const LEAST_SLEEP_MS = 10;

export async function openDemoHost({ speed, node }: DemoOptions): Promise<Demo> {
  const loaded = await loadManifest({ path: MANIFEST, env: {}, home: '/', files: systemFiles });
  const box = await openBox(loaded, { speed, engine: [node, ENGINE] });
  const http = openHttp();
  const clock: Clock = {
    ...systemClock,
    ticksMs: () => systemClock.ticksMs() * speed,
    // Its own waits are the box's too: else they would look many times as long as they are.
    sleep: (ms, signal) => systemClock.sleep(Math.max(LEAST_SLEEP_MS, ms / speed), signal),
  };
  const calls = openCallLog();
  const ear = { log: calls, ticksMs: clock.ticksMs };
  const units = recordedUnits(box.units, ear);
  const partsFor = (service: string): DriverParts => ({
    http: recordedHttp(http, service, ear),
    clock,
    run: NO_PROGRAMS,
    secret: async () => '',
  });
  return {
    manifest: box.manifest,
    host: {
      clock,
      units: async () => units,
      journal: async () => box.journal,
      driver: async (service) => openDriver(service.engine, partsFor(service.name)),
      calls,
      telemetry: box.telemetry,
      account: () => ({ uid: 0, user: 'you', lingers: true }),
      hostMemory: () => undefined, // the real machine's is not the box's
      ...stateInMemory(),
      owner: async () => undefined, // its processes are no units
      async close() {
        await http.close();
        await box.close();
      },
    },
  };
}
