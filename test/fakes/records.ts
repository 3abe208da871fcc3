/** Switches on record. */
import { type HistoryEntry, RECORD_VERSION, type RecordedStep, type Underway } from '../../src/core/record.ts';
import { GIB } from '../../src/core/units.ts';

export const recordedStep = (id: string, with_: Partial<RecordedStep> = {}): RecordedStep => ({
  id,
  kind: 'start',
  service: id,
  gpus: [0],
  outcome: 'done',
  plannedSeconds: 3,
  startSeconds: 0,
  endSeconds: 1,
  ...with_,
});

/** 14:03:12 of a summer's day. */
const BEGAN_MS = new Date(2026, 6, 21, 14, 3, 12).getTime();

export const reached: HistoryEntry = {
  version: RECORD_VERSION,
  id: 't6i8a2b',
  command: 'mode switch rag',
  target: 'rag',
  isMode: true,
  from: 'code',
  beganMs: BEGAN_MS,
  before: { coder: { state: 'awake' }, embed: { state: 'stopped' }, chat: { state: 'sleeping', level: 2 } },
  steps: [
    recordedStep('s1', {
      kind: 'sleep',
      service: 'coder',
      level: 1,
      startSeconds: 0.2,
      endSeconds: 1.8,
      plannedSeconds: 0.3,
      freedBytes: 19.5 * GIB,
    }),
    recordedStep('s2', {
      service: 'embed',
      startSeconds: 1.8,
      endSeconds: 36,
      plannedSeconds: 32.1,
      freedBytes: -5 * GIB,
    }),
  ],
  end: 'reached',
  durationSeconds: 36.3,
  engineSeconds: 36,
  plannedSeconds: 32.4,
  after: {
    coder: { state: 'sleeping', level: 1 },
    embed: { state: 'awake' },
    chat: { state: 'sleeping', level: 2 },
  },
  totalBytes: { 0: 24 * GIB },
  calls: [
    { atSeconds: 0.3, seconds: 1.2, service: 'coder', call: 'POST /sleep?level=1', answer: '200' },
    { atSeconds: 1.9, seconds: 0.4, service: 'embed', call: 'StartUnit embed.service', answer: 'done' },
    { atSeconds: 35, seconds: 0.9, service: 'embed', call: 'POST /v1/embeddings', answer: '200', times: 2 },
  ],
  memory: [
    { atSeconds: 0, usedBytes: { 0: 22 * GIB } },
    { atSeconds: 1.8, usedBytes: { 0: 2.5 * GIB } },
    { atSeconds: 20, usedBytes: { 0: 6 * GIB } },
    { atSeconds: 36, usedBytes: { 0: 7.5 * GIB } },
  ],
};

const unitFailed = {
  code: 'unit-failed',
  details: {
    service: 'embed',
    unit: 'embed.service',
    result: 'exit-code',
    exitStatus: 1,
    restarting: false,
    journal: ['loading', '\u001b[31mCUDA out of memory\u001b[0m'],
  },
} as const;

export const restored: HistoryEntry = {
  ...reached,
  id: 't6i8a3c',
  steps: [
    {
      ...reached.steps[0],
      outcome: 'done',
      fallback: 'stop',
      error: {
        code: 'engine-refused',
        details: { service: 'coder', request: 'POST /sleep?level=1', status: 500, reason: 'broken' },
      },
    } as RecordedStep,
    recordedStep('s2', { service: 'embed', startSeconds: 1.8, endSeconds: 9, outcome: 'failed', error: unitFailed }),
    recordedStep('s3', { kind: 'wake', service: 'chat', outcome: 'skipped', startSeconds: 9, endSeconds: 9 }),
    recordedStep('s1', { service: 'coder', restore: true, startSeconds: 9.1, endSeconds: 12.3 }),
  ],
  end: 'restored',
  error: unitFailed,
  durationSeconds: 12.5,
  engineSeconds: 11.9,
  after: reached.before,
  calls: [
    { atSeconds: 0.3, seconds: 1.2, service: 'coder', call: 'POST /sleep?level=1', answer: '500' },
    { atSeconds: 1.9, seconds: 7, service: 'embed', call: 'StartUnit embed.service', answer: 'failed' },
  ],
};

const { version, command, target, isMode, from, beganMs, before } = reached;

export const atWork: Underway = {
  version,
  command,
  target,
  isMode,
  from,
  beganMs,
  before,
  id: 't6i8b00',
  steps: [
    reached.steps[0] as RecordedStep,
    { id: 's2', kind: 'start', service: 'embed', gpus: [0], outcome: 'begun', plannedSeconds: 32.1 },
    { id: 's3', kind: 'wake', service: 'chat', gpus: [0], outcome: 'planned', plannedSeconds: 2 },
  ],
  phase: 'switch',
  by: { pid: 4711, life: 'x', sinceMs: BEGAN_MS, command: 'mode switch rag' },
};
