/** `doctor`: what is wrong or in the way of good switches, each with its evidence. Changes nothing. */
import type { Cause } from '../core/cause.ts';
import type { PortOwner, Why } from '../core/facts.ts';
import type { Manifest, Service } from '../core/model.ts';
import type { Wanted } from '../core/plan.ts';
import { evidenceOf } from '../core/remembered.ts';
import type { Observation, ObservedService } from '../core/state.ts';
import { lastWords } from '../execute/fallen.ts';
import type { Host } from '../execute/host.ts';
import { examined } from './examine.ts';
import { observe } from './observe.ts';

const SEVERITIES = ['error', 'warning', 'note'] as const;

export interface Finding {
  /** `note`: worth knowing, and no reason for an exit code. */
  readonly severity: (typeof SEVERITIES)[number];
  /** Whom it is about; none: the machine. */
  readonly services: readonly Service[];
  readonly why: Why;
  /** `level-lied`: which level, and when (Unix milliseconds). */
  readonly level?: number;
  readonly sinceMs?: number;
  /** `port-taken`: by whom, and where. */
  readonly taken?: Extract<PortOwner, { kind: 'other' }>;
  /** Its time to start is not over: this may yet end by itself. */
  readonly starting?: true;
  /** Of its failure, when its journal tells one that we know. */
  readonly cause?: Cause;
}

/** The worst first, of the machine last. Throws what an observation throws. */
export async function doctor(manifest: Manifest, host: Host, signal: AbortSignal): Promise<readonly Finding[]> {
  const all = [...manifest.services.keys()].map((name): [string, Wanted] => [name, { kind: 'resting' }]);
  const now = await examined(manifest, await observe(manifest, host, signal), new Map(all), host, signal);
  const services = [...manifest.services.values()];
  const found = await Promise.all(
    services.map(async (service) => [
      ...(await explained(findingsOf(service, now.services.get(service.name)), now, host, signal)),
      ...(await liesOf(service, now, host)),
    ]),
  );
  const findings = [...found.flat(), ...undeclared(services), ...(await ofTheMachine(now, host))];
  return SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
}

/** Its journal may tell why it failed, or why its engine does not answer. */
async function explained(
  findings: readonly Finding[],
  now: Observation,
  host: Host,
  signal: AbortSignal,
): Promise<Finding[]> {
  return await Promise.all(
    findings.map(async (finding) => {
      const [service] = finding.services;
      const seen = service && now.services.get(service.name);
      const ill = finding.severity === 'error' && !finding.taken && seen?.state.kind !== 'unknown';
      if (!service || !ill || seen?.unit?.load !== 'loaded') return finding;
      const { cause } = await lastWords(host, service, seen.unit, signal);
      return cause ? { ...finding, cause } : finding;
    }),
  );
}

async function ofTheMachine({ gpu }: Observation, { records }: Host): Promise<Finding[]> {
  const trouble = await records.trouble();
  const whys = [...(trouble ? [trouble] : []), ...(gpu.kind === 'unmeasured' ? [gpu.why] : [])];
  return whys.map((why) => ({ severity: 'warning', services: [], why }));
}

function findingsOf(service: Service, seen: ObservedService | undefined): Finding[] {
  if (!seen) return [];
  const { unit, nap, state, owner } = seen;
  const found = (severity: Finding['severity'], why: Why): Finding => ({ severity, services: [service], why });
  return [
    ...ofState(service, seen),
    ...(unit?.needsReload ? [found('warning', { code: 'unit-changed-on-disk', detail: unit.unit })] : []),
    ...(state.kind === 'awake' && service.idle === 'sleep' && !nap.can && nap.why.code !== 'level-barred'
      ? [found(nap.why.code === 'single-model' || nap.why.code === 'no-engine' ? 'note' : 'warning', nap.why)]
      : []),
    ...(owner?.kind === 'untold' && owner.why.code !== 'elsewhere' ? [found('note', owner.why)] : []),
  ];
}

function ofState(service: Service, { state, owner }: ObservedService): Finding[] {
  if (!('why' in state)) return [];
  const { why } = state;
  if (state.kind === 'starting') return [{ severity: 'note', services: [service], why, starting: true }];
  const taken = why.code === 'port-taken' && owner?.kind === 'other' ? { taken: owner } : {};
  return [{ severity: 'error', services: [service], why, ...taken }];
}

/** One finding for all of them: a manifest without figures is a way to begin. */
function undeclared(all: readonly Service[]): Finding[] {
  const services = all.filter(({ gpus, memory }) => gpus.length > 0 && memory.awakeBytes === undefined);
  return services.length === 0 ? [] : [{ severity: 'note', services, why: { code: 'memory-undeclared' } }];
}

/** Also of services that do not run: their next version is not known yet. */
async function liesOf(service: Service, now: Observation, host: Host): Promise<Finding[]> {
  const engine = now.services.get(service.name)?.engine;
  const { lies = [] } = (await host.records.read(service.name)) ?? {};
  const told = engine && 'nap' in engine;
  return lies
    .filter((lie) => !told || lie.version === engine.version)
    .map((lie) => ({
      severity: 'warning',
      services: [service],
      why: { code: 'level-lied', detail: evidenceOf(lie) },
      level: lie.level,
      sinceMs: lie.atMs,
    }));
}
