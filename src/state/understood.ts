/** Whether what stands on the disk is a switch as this version writes it down: a file may be damaged, or another's. */
import { RECORD_VERSION } from '../core/record.ts';

/** Of a switch, written by this layout. What is shown of it is of the right kind; an error's details are anything. */
export function isRecord(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { version, id, command, target, from, beganMs, steps, before } = value;
  return (
    version === RECORD_VERSION &&
    [id, command, target].every(isText) &&
    (from === null || isText(from)) &&
    Number.isFinite(beganMs) &&
    Array.isArray(steps) &&
    steps.every(isStep) &&
    isObject(before) &&
    Object.values(before).every(isState)
  );
}

function isStep(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { id, kind, service, outcome, plannedSeconds, startSeconds, endSeconds, freedBytes, error } = value;
  return (
    [id, kind, service, outcome].every(isText) &&
    Number.isFinite(plannedSeconds) &&
    [startSeconds, endSeconds, freedBytes].every(isFigureOrNone) &&
    isErrorOrNone(error)
  );
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isFigureOrNone = (value: unknown): boolean => value === undefined || Number.isFinite(value);
const isErrorOrNone = (value: unknown): boolean => value === undefined || (isObject(value) && isText(value['code']));
const isState = (value: unknown): boolean => isObject(value) && isText(value['state']);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of one that is over. */
export function isEnded(value: unknown): boolean {
  if (!isObject(value)) return false;
  const {
    end,
    durationSeconds,
    plannedSeconds,
    engineSeconds,
    error,
    restoreError,
    after,
    notRestored,
    calls,
    memory,
    totalBytes,
  } = value;
  return (
    isText(end) &&
    Number.isFinite(plannedSeconds) &&
    [durationSeconds, engineSeconds].every(isFigureOrNone) &&
    isErrorOrNone(error) &&
    isErrorOrNone(restoreError) &&
    isMapOrNone(after, isState) &&
    isMapOrNone(totalBytes, Number.isFinite) &&
    isListOrNone(notRestored, isText) &&
    isListOrNone(calls, isCall) &&
    isListOrNone(memory, isSample)
  );
}

function isCall(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { atSeconds, seconds, service, call, answer, times } = value;
  return [service, call, answer].every(isText) && [atSeconds, seconds, times ?? 1].every(Number.isFinite);
}

function isSample(value: unknown): boolean {
  if (!isObject(value) || !Number.isFinite(value['atSeconds'])) return false;
  return isMapOrNone(value['usedBytes'] ?? null, (bytes) => bytes === null || Number.isFinite(bytes));
}

function isListOrNone(value: unknown, isOne: (one: unknown) => boolean): boolean {
  return value === undefined || (Array.isArray(value) && value.every((one) => isOne(one)));
}

function isMapOrNone(value: unknown, isOne: (one: unknown) => boolean): boolean {
  return value === undefined || (isObject(value) && Object.values(value).every((one) => isOne(one)));
}
