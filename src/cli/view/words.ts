/** Codes to sentences: the only English besides help. Every error says what failed, why, and the next command. */
import type { AnyGpumodError, Details, ErrorCode, UnitFailure } from '../../core/errors.ts';
import type { Why } from '../../core/facts.ts';
import { near } from '../../core/near.ts';
import type { Because, PlanWarning, Step } from '../../core/plan.ts';
import type { Problem } from '../../core/problem.ts';
import type { ServiceState } from '../../core/state.ts';
import { formatBytes, formatSeconds } from '../../core/units.ts';
import { visible } from '../../core/visible.ts';

export interface Told {
  readonly what: string;
  readonly hint?: string;
}

type Words = { readonly [C in ErrorCode]: (details: Details[C]) => Told };

const STATUS = 'see: gpumod status';

const WORDS: Words = {
  usage: ({ problem, hint }) => ({ what: problem, hint: hint ?? 'see: gpumod --help' }),
  'manifest-not-found': ({ searched }) =>
    searched.length === 1
      ? { what: `there is no manifest at ${searched[0]}` }
      : {
          what: `no manifest found (looked in ${searched.join(', ')})`,
          hint: 'write one, or name it: gpumod --manifest PATH status; see it work: gpumod demo',
        },
  'manifest-unreadable': ({ file, reason }) => ({ what: `can't read the manifest ${file}: ${reason}` }),
  'manifest-invalid': ({ issues }) => ({
    what: [
      `the manifest has ${issues.length === 1 ? 'an error' : `${issues.length} errors`}:`,
      ...issues.map(
        ({ file, line, col, path, message, suggestion }) =>
          `${file}:${line}:${col}: ${path === '' ? '' : `${path}: `}${message}${suggestion ? ` (did you mean ${suggestion}?)` : ''}`,
      ),
    ].join('\n'),
    hint: 'nothing was changed',
  }),
  'no-such-mode': ({ mode, known }) => ({
    what: `there is no mode '${mode}'${meant(mode, known)}`,
    hint: 'see: gpumod mode list',
  }),
  'no-such-service': ({ service, known }) => ({
    what: `there is no service '${service}'${meant(service, known)}`,
    hint: 'see: gpumod service list',
  }),
  refused: ({ mode, problems }) => ({
    what: [
      `'${mode}' can't be reached; nothing was changed:`,
      ...problems.map((problem) => `  ${problemWords(problem)}`),
    ].join('\n'),
    hint: problemHint(problems),
  }),
  'requests-in-flight': ({ busy, waitedMs }) => ({
    what: `still busy after ${formatSeconds(waitedMs / 1000)}: ${busy.map(({ service, requests }) => `${service} (${requests} in flight)`).join(', ')}; nothing was changed`,
    hint: 'wait longer: --drain 5m; or cut them off: --force',
  }),
  'bus-unreachable': ({ scope, address, reason }) => ({
    what: `can't reach systemd's ${scope} bus at ${address}: ${reason}`,
    hint: scope === 'user' ? 'is your user manager running? loginctl enable-linger' : 'is systemd running?',
  }),
  'no-user-bus': ({ address, user }) => ({
    what: `there is no user bus at ${address}: the systemd manager of ${user} is not running`,
    hint: `let it run without a login: loginctl enable-linger ${user}`,
  }),
  'user-scope-as-root': ({ user }) => ({
    what: `these services belong to the systemd manager of ${user}, and this runs as root`,
    hint: 'run gpumod without sudo',
  }),
  'not-permitted': ({ unit, verb, units }) => ({
    what: `not permitted to ${verb} ${unit} (polkit)`,
    hint: `allow just these units; put into /etc/polkit-1/rules.d/50-gpumod.rules:\n${polkitRule(units.length > 0 ? units : [unit])}`,
  }),
  'unit-not-found': ({ unit }) => ({
    what: `systemd knows no unit ${unit}`,
    hint: `see: systemctl cat ${unit} (with --user for a user unit)`,
  }),
  'unit-unusable': ({ unit, load, reason }) => ({
    what: `${unit} can't be used: ${load}${reason ? `: ${reason}` : ''}`,
    hint:
      load === 'masked'
        ? `see: systemctl unmask ${unit} (with --user for a user unit)`
        : `see: systemd-analyze verify ${unit} (with --user for a user unit)`,
  }),
  'unit-failed': (failure) => ({
    what: unitFailureWords(failure),
    hint: `see: gpumod service logs ${failure.service}`,
  }),
  'engine-refused': ({ service, request, status, reason }) => ({
    what: `${service} refused ${request}: ${status}${reason ? ` ${reason}` : ''}`,
    hint: `see: gpumod service logs ${service}`,
  }),
  'engine-unreachable': ({ service, request, reason }) => ({
    what: `${service} did not answer ${request}: ${reason}`,
    hint: `see: gpumod service status ${service}`,
  }),
  'engine-contradicts': ({ service, wanted, reported, detail }) => ({
    what: `${service} should be ${wanted}; found: ${whyWords({ code: reported, ...(detail === undefined ? {} : { detail }) })}`,
    hint: `see: gpumod service status ${service}`,
  }),
  'engine-cannot': ({ service, verb, reason }) => ({
    what: `${service} can't ${verb}: ${reasonWords(reason)}`,
    hint: cannotHint(service, verb, reason),
  }),
  'memory-contradicts': ({ service, wanted, gpu, expectedBytes, measuredBytes }) =>
    wanted === 'release'
      ? {
          what: `${service} should have freed ${formatBytes(expectedBytes)} on GPU ${gpu}; measured: ${formatBytes(measuredBytes)}`,
          hint: `does its unit run vLLM with --enable-sleep-mode? if it can't sleep, say so in the manifest: idle: stop`,
        }
      : {
          what: `${service} is ready, but not on GPU ${gpu}: it should take ${formatBytes(expectedBytes)}; measured: ${formatBytes(measuredBytes)}`,
          hint: `see: gpumod service logs ${service}; then: gpumod service restart ${service}`,
        },
  'memory-not-free': ({ service, gpu, neededBytes, freeBytes }) => ({
    what: `GPU ${gpu} has ${formatBytes(freeBytes)} free; ${service} needs ${formatBytes(neededBytes)} with the reserve`,
    hint: 'see who holds it: nvidia-smi',
  }),
  'secret-missing': ({ service, where }) => ({ what: `the API key of ${service} can't be read from ${where}` }),
  'timed-out': ({ what, afterMs, service, lastly }) => ({
    what: `${service ? `${service}: ` : ''}${TIMED[what] ?? what} took longer than ${formatSeconds(afterMs / 1000)}${lastly ? `; in the end: ${whyWords(lastly)}` : ''}`,
    hint: service ? `is its url: right? see: gpumod service logs ${service}` : STATUS,
  }),
  interrupted: ({ signal }) => ({ what: `interrupted by ${signal}`, hint: STATUS }),
  'not-in-state': ({ wanted, actual }) => ({ what: `not in '${wanted}': ${actual}`, hint: STATUS }),
};

const TIMED: Readonly<Record<string, string>> = {
  switch: 'the switch (--timeout)',
  step: 'a step',
  start: "the unit's start",
  stop: "the unit's stop",
  ready: 'getting ready',
  sleep: 'going to sleep',
  wake: 'waking',
};

export function errorWords(error: AnyGpumodError): Told {
  const words = WORDS[error.code] as (details: AnyGpumodError['details']) => Told;
  return words(error.details);
}

function meant(name: string, known: readonly string[]): string {
  const candidate = near(name, known);
  return candidate === undefined ? '' : ` (did you mean '${candidate}'?)`;
}

function unitFailureWords({ service, unit, result, exitStatus, restarting, journal }: UnitFailure): string {
  const status = exitStatus === undefined || exitStatus === 0 ? '' : ` ${exitStatus}`;
  const how = result === 'done' || result === 'success' ? 'it did not stay up' : `${result}${status}`;
  const again = restarting ? '; systemd kept restarting it, so it was stopped' : '';
  const lines = journal.map((line) => `    ${line}`);
  return [
    `${service}: ${unit} failed (${how})${again}`,
    ...(lines.length ? ['  its last journal lines:', ...lines] : []),
  ].join('\n');
}

function problemWords(problem: Problem): string {
  switch (problem.code) {
    case 'does-not-fit': {
      const sum = problem.claims.reduce((total, claim) => total + claim.bytes, problem.reserveBytes);
      const claims = problem.claims.map(
        ({ service, state, bytes }) => `    ${formatBytes(bytes).padStart(9)}  ${service} (${state})`,
      );
      return [
        `GPU ${problem.gpu} has ${formatBytes(problem.totalBytes)}; ${formatBytes(sum)} would be needed:`,
        ...claims,
        `    ${formatBytes(problem.reserveBytes).padStart(9)}  reserve`,
      ].join('\n');
    }
    case 'no-such-gpu':
      return `${problem.service} wants GPU ${problem.gpu}; this machine has ${problem.gpus.map((gpu) => `GPU ${gpu}`).join(', ')}`;
    case 'unit-not-found':
      return `${problem.service}: systemd knows no unit ${problem.unit}`;
    case 'unit-unusable':
      return `${problem.service}: ${problem.unit} is ${problem.load}`;
    case 'state-unknown':
      return `${problem.service}: its state can't be known: ${whyWords(problem.why)}`;
  }
}

function problemHint(problems: readonly Problem[]): string {
  const codes = new Set(problems.map((problem) => problem.code));
  if (codes.has('unit-not-found'))
    return 'name the unit in the manifest (unit: NAME.service), or install it; see: systemctl list-unit-files (with --user for user units)';
  if (codes.has('does-not-fit')) return 'take a service out of the mode, or declare what it really needs (memory:)';
  return STATUS;
}

const REASONS: Readonly<Record<string, string>> = {
  'dev-mode-off': 'vLLM has no /sleep without VLLM_SERVER_DEV_MODE=1',
  'version-too-old': 'this vLLM version can not sleep over HTTP',
  'version-broken': 'sleep is broken in this vLLM version',
  'single-model': 'a single-model llama-server has no unload',
  'no-steps': 'its manifest entry has no sleep and wake steps',
  'no-engine': 'it has no engine API',
  'level-1': 'level 1 is not usable here',
  'level-2': 'level 2 is not usable here',
  stopped: 'it is stopped',
  starting: 'it is starting',
  waking: 'it is waking',
  stopping: 'it is stopping',
  failed: 'its unit has failed',
  unhealthy: 'its engine does not answer as it should',
  unknown: 'its state is not known',
  refused: 'nothing listens on its port',
  'no-socket': 'its socket does not exist',
  reset: 'it closed the connection',
  unreachable: 'its address can not be reached',
  'no-answer': 'it accepts connections and does not answer',
  'not-understood': 'its answer is not understood',
  'error-status': 'it answers with an error',
  'too-large': 'its answer has no end',
  'wrong-engine': 'another engine answers there',
  unauthorized: 'it refuses the API key',
  'secret-missing': 'its API key can not be read',
  'models-unclear': 'the router has several models; name some in the manifest (models:)',
  'auto-restart': 'it fails, and systemd keeps restarting it',
  'exit-code': 'exited',
  signal: 'killed by a signal',
  'core-dump': 'crashed',
  timeout: 'timed out',
  'start-limit-hit': 'failed too often in a row',
  'unit-not-found': 'systemd knows no such unit',
  'unit-masked': 'its unit is masked',
  'unit-bad-setting': 'its unit file has an error',
  'unit-error': 'its unit file can not be loaded',
  'no-tool': 'no nvidia-smi',
  'tool-failed': 'nvidia-smi failed',
  'tool-silent': 'nvidia-smi does not answer',
  'unit-not-told': 'systemd can not be asked',
  'not-told': 'the GPU tool does not tell it',
};

function reasonWords(code: string): string {
  return REASONS[code] ?? code;
}

export function whyWords({ code, detail }: Why): string {
  return detail ? `${reasonWords(code)} (${visible(detail)})` : reasonWords(code);
}

function cannotHint(service: string, verb: string, reason: string): string {
  if (reason === 'stopped') return `start it: gpumod service start ${service}`;
  if (verb === 'sleep') return `stop it instead: gpumod service stop ${service}`;
  return `see: gpumod service status ${service}`;
}

/** `awake`, `asleep L1`, `failed: exited (3)`. */
export function stateWords(state: ServiceState): string {
  switch (state.kind) {
    case 'sleeping':
      return state.level === undefined ? 'asleep' : `asleep L${state.level}`;
    case 'awake':
      return state.missing?.length ? 'awake, models missing' : 'awake';
    default:
      return state.kind;
  }
}

/** What a state's own word leaves out. */
export function stateNote(state: ServiceState): string {
  if (state.kind === 'awake' && state.missing?.length) return `not loaded: ${state.missing.join(', ')}`;
  return 'why' in state ? whyWords(state.why) : '';
}

/** `sleep vllm-chat L1`. */
export function stepWords(step: Step): string {
  const level = step.kind === 'sleep' && step.level !== undefined ? ` L${step.level}` : '';
  return `${step.kind} ${step.service}${level}`;
}

export function becauseWords(because: Because): string {
  const now = 'from' in because ? (because.from === 'sleeping' ? 'asleep' : because.from) : '';
  switch (because.code) {
    case 'wanted-awake':
      return `in the mode, is ${now}`;
    case 'not-in-mode':
      return `not in the mode, is ${now}`;
    case 'warm':
      return `kept warm, is ${now}`;
    case 'cannot-sleep':
      return `not in the mode, can't sleep: ${whyWords(because.why)}`;
    case 'make-room':
      return `asleep it would hold what GPU ${because.gpu} needs`;
    case 'models-missing':
      return `not loaded: ${because.models.join(', ')}`;
    case 'not-healthy':
      return `is ${now}: ${whyWords(because.why)}`;
    case 'restore':
      return 'back to what was before';
    case 'asked':
      return `asked for, is ${now}`;
  }
}

export function warningWords(warning: PlanWarning): string {
  switch (warning.code) {
    case 'memory-declared':
      return `GPU memory is not measured (${whyWords(warning.why)}): figures are the manifest's`;
    case 'memory-undeclared':
      return `${warning.service} declares no memory: its room is not planned`;
    case 'card-too-full':
      return `GPU ${warning.gpu} would need ${formatBytes(warning.peakBytes)} of its ${formatBytes(warning.totalBytes)}: something that is not in the manifest holds memory (nvidia-smi)`;
    case 'unit-changed-on-disk':
      return `${warning.unit} changed on disk; systemd still uses the old one (systemctl --user daemon-reload)`;
  }
}

function polkitRule(units: readonly string[]): string {
  return [
    'polkit.addRule(function(action, subject) {',
    '  if (action.id == "org.freedesktop.systemd1.manage-units" && subject.user == "YOU" &&',
    `      ${JSON.stringify(units)}.indexOf(action.lookup("unit")) >= 0 &&`,
    '      ["start","stop","restart","reset-failed"].indexOf(action.lookup("verb")) >= 0) return polkit.Result.YES;',
    '});',
  ].join('\n');
}
