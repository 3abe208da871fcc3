/** What every step of one execution shares. */
import type { Manifest, Service } from '../core/model.ts';
import type { Step } from '../core/plan.ts';
import type { Notify } from '../core/report.ts';
import type { Gauge } from './gauge.ts';
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

export function serviceOf(context: Context, step: Step): Service {
  const service = context.manifest.services.get(step.service);
  if (!service) throw new Error(`the plan names ${step.service}, the manifest does not`);
  return service;
}

/** Aborts after `ms`, or with the whole. */
export function within(ms: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}
