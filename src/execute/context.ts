/** What every step of one execution shares. */
import type { GpuReading } from '../core/facts.ts';
import type { Manifest, Service } from '../core/model.ts';
import type { Step } from '../core/plan.ts';
import type { Notify } from '../core/report.ts';
import type { Host } from './host.ts';

export interface Context {
  readonly host: Host;
  readonly manifest: Manifest;
  readonly notify: Notify;
  /** Aborts running calls (a deadline of the whole); a first Ctrl-C only `stop`s. */
  readonly signal: AbortSignal;
  /** No new step begins once this aborts. */
  readonly stop: AbortSignal;
  /** Requests in flight are not waited for. */
  readonly force: boolean;
  readonly gauge: Gauge;
  /** Seconds since the switch began. */
  elapsed(): number;
}

/** The latest GPU reading, read anew only when asked to. */
export interface Gauge {
  readonly latest: GpuReading;
  fresh(signal: AbortSignal): Promise<GpuReading>;
}

export function gaugeFrom(host: Host, first: GpuReading): Gauge {
  let latest = first;
  return {
    get latest() {
      return latest;
    },
    async fresh(signal) {
      // A machine without a GPU tool does not get one in the middle of a switch.
      if (latest.kind === 'unmeasured' && latest.why.code === 'no-tool') return latest;
      latest = await host.telemetry.read(signal);
      return latest;
    },
  };
}

export function serviceOf(context: Context, step: Step): Service {
  const service = context.manifest.services.get(step.service);
  if (!service) throw new Error(`the plan names ${step.service}, the manifest does not`);
  return service;
}

/** Aborts after `ms`, or with the whole. */
export function within(ms: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}
