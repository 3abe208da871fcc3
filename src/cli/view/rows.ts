/** The rows of every table, as text cells: the same for the terminal and for `-o plain`. */
import type { PlannedMode, PlannedModes } from '../../app/plan-mode.ts';
import { activeModes, type Status } from '../../app/status.ts';
import type { Attribution } from '../../core/attribution.ts';
import { isServed, type Manifest, type Mode, type Service } from '../../core/model.ts';
import type { Plan, Step, StepKind } from '../../core/plan.ts';
import type { Problem } from '../../core/problem.ts';
import type { ObservedService, ServiceState } from '../../core/state.ts';
import { formatBytes, formatSeconds } from '../../core/units.ts';
import { driftNote, holdingOf } from './memory.ts';
import { becauseWords, fallbackWords, napNote, stateNote, stateWords, stepWords } from './plan-words.ts';
import { refusalWords } from './problem-words.ts';

export interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns that a narrow terminal goes without, the first of them first; several that make no sense alone go together. */
  readonly optional?: readonly (string | readonly string[])[];
}

export function serviceRows({ manifest, now, held }: Status, names: readonly string[] | undefined): Rows {
  const services = [...manifest.services.values()].filter((service) => !names || names.includes(service.name));
  return {
    head: ['SERVICE', 'STATE', 'ENGINE', 'GPU', 'MEMORY', 'DECLARED', 'PORT', 'UP', 'NOTE'],
    rows: services.map((service) => serviceRow(service, now.services.get(service.name), held, now.atMs)),
    optional: ['ENGINE', 'GPU', 'UP', 'PORT'],
  };
}

function serviceRow(
  service: Service,
  seen: ObservedService | undefined,
  held: Attribution | undefined,
  nowMs: number,
): readonly string[] {
  const engine = seen?.engine;
  const holding = holdingOf(service, seen?.state, held);
  const notes = [seen ? noteOf(seen) : '', driftNote(holding)];
  const version = engine && 'version' in engine && engine.version ? ` ${engine.version}` : '';
  return [
    service.name,
    seen ? stateCell(service, seen.state) : 'unknown',
    `${service.engine}${version}`,
    service.gpus.join(','),
    bytesCell(holding.measuredBytes),
    bytesCell(holding.declaredBytes),
    portOf(service),
    upCell(seen, nowMs),
    notes.filter((note) => note !== '').join('; '),
  ];
}

function noteOf({ state, nap }: ObservedService): string {
  return stateNote(state) || napNote(nap);
}

/** Only vLLM has levels to choose from. */
function stateCell(service: Service, state: ServiceState): string {
  return stateWords(state.kind === 'sleeping' && service.engine !== 'vllm' ? { kind: 'sleeping' } : state);
}

function bytesCell(bytes: number | undefined): string {
  return bytes === undefined ? '' : formatBytes(bytes);
}

function portOf(service: Service): string {
  if (!isServed(service)) return '';
  if (service.url.startsWith('http://unix:')) return 'socket';
  const { port, protocol } = new URL(service.url);
  return port || (protocol === 'https:' ? '443' : '80');
}

function upCell(seen: ObservedService | undefined, nowMs: number): string {
  if (seen?.unit?.activeSinceMs === undefined || seen.state.kind === 'stopped') return '';
  return roughly(Math.max(0, nowMs - seen.unit.activeSinceMs) / 1000);
}

/** `87 s`, `12 min`, `3 h`, `5 d`. */
export function roughly(exactly: number): string {
  const seconds = Math.round(exactly);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

export function modeRows(status: Status): Rows {
  const active = activeModes(status);
  const mark = (mode: Mode) => (mode.name === active[0] ? '*' : active.includes(mode.name) ? '=' : '');
  return {
    head: ['', 'MODE', 'SERVICES', 'WARM', 'DESCRIPTION'],
    rows: [...status.manifest.modes.values()].map((mode) => [
      mark(mode),
      mode.default ? `${mode.name} (default)` : mode.name,
      mode.services.join(', '),
      mode.warm.join(', '),
      mode.description ?? '',
    ]),
  };
}

export function modeMemberRows(mode: Mode, manifest: Manifest): Rows {
  const row = (name: string, wanted: string) => {
    const service = manifest.services.get(name);
    const bytes = service?.memory[wanted === 'awake' ? 'awakeBytes' : 'asleepBytes'];
    return [name, wanted, service?.gpus.join(',') ?? '', bytes === undefined ? '' : formatBytes(bytes)];
  };
  return {
    head: ['SERVICE', 'SHALL BE', 'GPU', 'MEMORY'],
    rows: [...mode.services.map((name) => row(name, 'awake')), ...mode.warm.map((name) => row(name, 'asleep'))],
  };
}

export function planRows({ plan }: PlannedMode): Rows {
  return {
    head: ['STEP', 'WHAT', 'AFTER', 'FROM', 'TO', 'MEMORY AFTER', 'WHY'],
    rows: plan.steps.map((step) => [
      step.id,
      stepWords(step),
      step.after.join(' '),
      `${step.startSeconds.toFixed(1)} s`,
      `${step.endSeconds.toFixed(1)} s`,
      memoryAfter(step),
      becauseWords(step.because) + (step.ifRefused ? ` (if it refuses: ${fallbackWords(step.ifRefused)})` : ''),
    ]),
    optional: ['FROM', 'AFTER', 'MEMORY AFTER'],
  };
}

/** `?` where it can't be said: what the step moves, or what is there already, is neither declared nor measured. */
function memoryAfter({ usedBytesAfter, gpus }: Step): string {
  const unsaid = gpus.filter((gpu) => !(gpu in usedBytesAfter)).map((gpu) => [gpu, '?'] as const);
  const told = Object.entries(usedBytesAfter).map(([gpu, bytes]) => [Number(gpu), formatBytes(bytes)] as const);
  const cards = [...told, ...unsaid].sort(([a], [b]) => a - b);
  return cards.map(([gpu, text]) => `${cards.length > 1 ? `${gpu}: ` : ''}${text}`).join(', ');
}

const COUNTED: readonly (readonly [head: string, kind: StepKind])[] = [
  ['SLEEP', 'sleep'],
  ['STOP', 'stop'],
  ['WAKE', 'wake'],
  ['START', 'start'],
];

/** One line a mode. `refused`: what is noted of one that can't be reached. */
export function comparedRows(
  { answers }: PlannedModes,
  refused: (problems: readonly Problem[]) => string = refusalWords,
): Rows {
  const plans = answers.flatMap(({ planned }) => (planned.kind === 'plan' ? [planned.plan] : []));
  const gpus = [...new Set(plans.flatMap(({ peakBytes }) => Object.keys(peakBytes)))];
  const peaks = gpus.map((gpu) => `PEAK ${gpu}`);
  const counts = COUNTED.map(([head]) => head);
  const cellsOf = (plan: Plan) => [
    String(plan.steps.length),
    ...COUNTED.map(([, kind]) => String(plan.steps.filter((step) => step.kind === kind).length)),
    formatSeconds(plan.awakeSeconds),
    ...gpus.map((gpu) => bytesCell(plan.peakBytes[gpu])),
    plan.steps.length === 0 ? 'already so' : '',
  ];
  const head = ['MODE', 'STEPS', ...counts, 'AWAKE AFTER', ...peaks, 'NOTE'];
  return {
    head,
    rows: answers.map(({ mode, planned }) =>
      planned.kind === 'plan'
        ? [mode, ...cellsOf(planned.plan)]
        : [mode, ...head.slice(2).map(() => ''), refused(planned.problems)],
    ),
    optional: [counts, ...peaks.slice(1).reverse()],
  };
}
