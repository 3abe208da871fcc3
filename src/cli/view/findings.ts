/** What `doctor` found, in words: what, the evidence, and what mends it. */
import type { Finding } from '../../app/doctor.ts';
import type { Service } from '../../core/model.ts';
import { visible } from '../../core/visible.ts';
import { causeDocument, causeWords } from './cause-words.ts';
import { barWords } from './plan-words.ts';
import { takenHint } from './problem-words.ts';
import { whyWords } from './reasons.ts';
import { secretHint } from './words.ts';

type Fix = (service: Service, finding: Finding) => string | undefined;

/** A drop-in, ready to paste into what the command opens. */
const dropIn =
  (...lines: readonly string[]): Fix =>
  ({ unit, scope }) =>
    [`${systemctl(scope)} edit ${unit}`, '[Service]', ...lines].join('\n      ');

const FIXES: Readonly<Record<string, Fix>> = {
  'dev-mode-off': dropIn('Environment=VLLM_SERVER_DEV_MODE=1'),
  'sleep-mode-off': () => 'add --enable-sleep-mode to its ExecStart; or say idle: stop in the manifest',
  'memory-saver-off': () => 'add --enable-memory-saver to its ExecStart; or say idle: stop in the manifest',
  'admin-off': () => 'name its admin key in the manifest (adminKey:); or say idle: stop',
  'level-lied': ({ name }, { level }) => `gpumod service sleep ${name} --level ${level} --force`,
  'unit-changed-on-disk': ({ scope }) => `${systemctl(scope)} daemon-reload (not while a switch runs)`,
  'memory-undeclared': ({ name }, { services }) =>
    services.length === 1
      ? `say what it holds awake: services.${name}.memory.awake in the manifest`
      : 'say what each holds awake: services.NAME.memory.awake in the manifest',
  'unit-not-found': ({ scope }) => `name its unit in the manifest (unit:); see: ${systemctl(scope)} list-unit-files`,
  'unit-masked': ({ unit, scope }) => `${systemctl(scope)} unmask ${unit}`,
  'release-unknown': ({ name }) => `gpumod service restart ${name}`,
  'secret-missing': (_, { why }) => secretHint(why.detail ?? ''),
  unauthorized: () => 'name the key that it was started with in the manifest (apiKey:)',
  'port-taken': (_, { taken }) => taken && takenHint(taken),
};

function systemctl(scope: Service['scope']): string {
  return scope === 'user' ? 'systemctl --user' : 'sudo systemctl';
}

const OTHERWISE: Fix = ({ name }) => `see: gpumod service logs ${name}`;

function fixOf(finding: Finding): string | undefined {
  const { services, why, severity } = finding;
  const [service] = services;
  if (why.code === 'state-folder')
    return `let the folder be yours to write: ${why.detail?.split(': ')[0]}; or name another: XDG_STATE_HOME`;
  if (service && finding.cause) return causeWords(finding.cause, service.name).fix;
  const fix = FIXES[why.code] ?? (severity === 'error' ? OTHERWISE : undefined);
  return service && fix?.(service, finding);
}

function words(finding: Finding): { readonly what: string; readonly fix: string | undefined } {
  const { services, why, level } = finding;
  const what = why.code === 'level-lied' && level !== undefined ? lieWords(finding) : whyWords(why);
  const who = services.map(({ name }) => name).join(', ');
  const said = finding.starting ? `it is starting, and so far ${what}` : what;
  return { what: who ? `${who}: ${said}` : said, fix: fixOf(finding) };
}

function lieWords({ why, level, sinceMs }: Finding): string {
  const bar = { level: level === 1 ? 1 : 2, why: { ...why, code: 'lied' } } as const;
  return barWords(sinceMs === undefined ? bar : { ...bar, sinceMs });
}

export function findingsText(findings: readonly Finding[], services: number): string {
  if (findings.length === 0)
    return `nothing is wrong: ${services} ${services === 1 ? 'service' : 'services'} looked at`;
  return findings
    .map((finding) => {
      const { what, fix } = words(finding);
      const [service] = finding.services;
      const cause = service && finding.cause && causeWords(finding.cause, service.name).what;
      return visible(
        [`${finding.severity}: ${what}`, ...(cause ? [`cause: ${cause}`] : []), ...(fix ? [`fix: ${fix}`] : [])].join(
          '\n  ',
        ),
      );
    })
    .join('\n');
}

/** `service`: the only one it is about; `services`: all of them, none when it is about the machine. */
export function findingsDocument(findings: readonly Finding[]): object {
  return {
    findings: findings.map((finding) => {
      const { what, fix } = words(finding);
      const { severity, services, why, level } = finding;
      return {
        severity,
        code: why.code,
        service: services.length === 1 ? services[0]?.name : null,
        services: services.map(({ name }) => name),
        level: level ?? null,
        detail: why.detail ?? null,
        message: what,
        fix: fix ?? null,
        cause: causeDocument(finding.cause, services[0]?.name ?? ''),
      };
    }),
  };
}
