/** Writes a switch down while it is carried out, and keeps it when it is over. */
import type { GpumodError } from '../core/errors.ts';
import type { GpuReading } from '../core/facts.ts';
import type { Manifest } from '../core/model.ts';
import type { Plan, Step } from '../core/plan.ts';
import {
  type HistoryEntry,
  RECORD_VERSION,
  type RecordedError,
  type RecordedStep,
  type SwitchRecord,
  statesOf,
  type Underway,
} from '../core/record.ts';
import type { Event, Notify, StepReport, SwitchResult } from '../core/report.ts';
import { withoutSecretsIn } from '../core/secrets.ts';
import type { Observation } from '../core/state.ts';
import type { Host } from '../execute/host.ts';
import { openTape, type Tape } from './tape.ts';

export interface Chronicle {
  /** What is told while the switch works is written down, and told on. */
  readonly notify: Notify;
  /** Resolves when the step stands on the disk as begun, or can't. Never throws. */
  readonly begin: (step: Step) => Promise<void>;
  /** The cards, as they are now. */
  readonly sample: (reading: GpuReading) => void;
  /** Stands on the disk: the target holds, and a command has the machine. Never throws. */
  hold(): Promise<void>;
  /** Never throws. */
  end(result: SwitchResult): Promise<void>;
}

/** What a switch is, beside its plan. */
export interface Heading {
  /** As it would be typed: `mode switch rag`. */
  readonly command: string;
  readonly isMode: boolean;
  /** The mode that held before; null: none did. */
  readonly from: string | null;
}

type Source = Pick<Host, 'clock' | 'switchJournal' | 'history' | 'calls'>;

/** What the switch begins with. */
export interface Beginning {
  readonly manifest: Manifest;
  readonly plan: Plan;
  readonly before: Observation;
  /** `clock.ticksMs()` when the command began: all seconds are counted from then. */
  readonly beganMs: number;
}

export function openChronicle(
  host: Source,
  heading: Heading,
  { manifest, plan, before, beganMs: beganTicks }: Beginning,
  tell: Notify,
): Chronicle {
  const spentSeconds = () => (host.clock.ticksMs() - beganTicks) / 1000;
  const beganMs = Math.round(host.clock.nowMs() - spentSeconds() * 1000);
  const tape = openTape(manifest, beganTicks);
  tape.sample(0, before.gpu);
  const stopListening = host.calls.listen(tape.call);
  const steps = new Map<string, RecordedStep>();
  let phase: Underway['phase'] = 'switch';
  const key = ({ id }: Pick<Step, 'id'>) => `${phase} ${id}`;
  const put = (step: Step, more: Partial<RecordedStep>) => {
    const known = steps.get(key(step));
    if (known) steps.set(key(step), { ...known, ...more });
  };
  const record = (): SwitchRecord => ({
    version: RECORD_VERSION,
    id: idOf(beganMs),
    ...heading,
    target: plan.target,
    beganMs,
    before: statesOf(before),
    steps: [...steps.values()],
  });

  let isLost = false;
  const lost = (error: Error) => {
    if (!isLost) tell({ type: 'unrecorded', reason: error.message });
    isLost = true;
  };
  const flush = oneAtATime(() => host.switchJournal.write({ ...record(), phase }).catch(lost));

  return {
    notify(event: Event) {
      if (event.type === 'restoring' || event.type === 'giving-back') phase = 'restore';
      if (event.type === 'plan')
        for (const step of event.plan.steps) steps.set(key(step), planned(step, phase === 'restore'));
      if (event.type === 'step-finished') put(event.report.step, ended(event.report));
      tell(event);
    },
    begin(step) {
      put(step, { outcome: 'begun' });
      return flush();
    },
    sample: (reading) => tape.sample(spentSeconds(), reading),
    hold() {
      phase = 'run';
      return flush();
    },
    async end(result) {
      stopListening();
      tape.sample(result.durationSeconds, result.after.gpu);
      await host.history.append(entryOf(record(), result, tape)).catch(lost);
      await host.switchJournal.clear();
    },
  };
}

/** Tenths of a second since 1970, in seven characters: sorts as they began. */
function idOf(beganMs: number): string {
  return Math.round(beganMs / 100).toString(36);
}

function planned({ id, kind, service, level, gpus, startSeconds, endSeconds }: Step, isRestore: boolean): RecordedStep {
  return {
    id,
    kind,
    service,
    ...(level === undefined ? {} : { level }),
    gpus,
    ...(isRestore ? { restore: true } : {}),
    outcome: 'planned',
    plannedSeconds: endSeconds - startSeconds,
  };
}

function ended({ outcome, startSeconds, endSeconds, engineSeconds, freedBytes }: StepReport): Partial<RecordedStep> {
  const because = 'error' in outcome ? outcome.error : 'because' in outcome ? outcome.because : undefined;
  return {
    outcome: outcome.kind,
    startSeconds,
    endSeconds,
    engineSeconds,
    ...(freedBytes === undefined ? {} : { freedBytes }),
    ...(outcome.kind === 'done' && outcome.fallback ? { fallback: outcome.fallback } : {}),
    ...(because ? { error: errorOf(because) } : {}),
  };
}

function errorOf({ code, details }: Pick<GpumodError, 'code' | 'details'>): RecordedError {
  return { code, details: withoutSecretsIn(details) };
}

function entryOf(record: SwitchRecord, result: SwitchResult, { calls, memory }: Tape): HistoryEntry {
  const { end, plan, error, restoreError, notRestored, after, durationSeconds, engineSeconds } = result;
  return {
    ...record,
    end,
    durationSeconds,
    engineSeconds,
    plannedSeconds: plan.makespanSeconds,
    ...(error ? { error: errorOf(error) } : {}),
    ...(restoreError ? { restoreError: errorOf(restoreError) } : {}),
    ...(notRestored.length > 0 ? { notRestored } : {}),
    after: statesOf(after),
    ...totalsOf(after.gpu),
    ...(calls.length > 0 ? { calls } : {}),
    ...(memory.length > 0 ? { memory } : {}),
  };
}

function totalsOf(gpu: GpuReading): Pick<HistoryEntry, 'totalBytes'> {
  if (gpu.kind !== 'measured') return {};
  const told = gpu.gpus.flatMap(({ index, totalBytes }) => (totalBytes === null ? [] : [[String(index), totalBytes]]));
  return { totalBytes: Object.fromEntries(told) };
}

/** Whoever asks while one is at work gets the next, which knows all that was put in until it began. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let atWork = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= atWork.then(() => {
      next = undefined;
      atWork = work();
      return atWork;
    });
    return next;
  };
}
