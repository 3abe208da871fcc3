/** The long look: what only a slow question tells of an engine's ability to sleep, asked once a run, before a plan counts on it. */
import type { Manifest, Service } from '../core/model.ts';
import type { Wanted } from '../core/plan.ts';
import { changed, trusted } from '../core/remembered.ts';
import type { Observation, ObservedService } from '../core/state.ts';
import type { Host } from '../execute/host.ts';

/** The same observation, with the abilities of those that the plan may put to sleep known as well as they can be. */
export async function examined(
  manifest: Manifest,
  now: Observation,
  wanted: ReadonlyMap<string, Wanted>,
  host: Host,
  signal: AbortSignal,
): Promise<Observation> {
  const seen = await Promise.all(
    [...now.services].map(async ([name, each]) => {
      const service = manifest.services.get(name);
      const mayRest = service && wanted.get(name)?.kind === 'resting' && each.state.kind === 'awake' && each.nap.can;
      return [name, mayRest ? await examine(service, each, host, signal) : each] as const;
    }),
  );
  return { ...now, services: new Map(seen) };
}

async function examine(
  service: Service,
  seen: ObservedService,
  host: Host,
  signal: AbortSignal,
): Promise<ObservedService> {
  const { engine, unit } = seen;
  const driver = await host.driver(service);
  const { invocationId } = unit ?? {};
  if (!driver.examine || engine?.kind !== 'ready' || invocationId === undefined) return seen;
  const remembered = await host.records.read(service.name);
  if (remembered?.ability?.invocationId === invocationId) return seen;
  const nap = await driver.examine(service, signal);
  if (!nap) return seen; // it may answer before the next plan
  const nowMs = host.clock.nowMs();
  const ability = { invocationId, nap };
  await host.records.keep(service.name, { ability }, nowMs).catch(() => {});
  const kept = changed(remembered, { ability }, nowMs);
  return { ...seen, nap: trusted(engine.nap, kept, { invocationId, version: engine.version }) };
}
