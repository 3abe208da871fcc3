/** What the bus and systemd answer, as gpumod's errors. */
import { GpumodError, isGpumodError } from '../core/errors.ts';
import type { BusError } from '../io/bus.ts';
import { SYSTEMD } from './names.ts';

export const NO_SUCH_UNIT: string = `${SYSTEMD}.NoSuchUnit`;
const FREEDESKTOP = 'org.freedesktop.DBus.Error.';

/** The connection or the manager is not there, as opposed to systemd's answer to what was asked. */
const GONE = new Set(
  [
    'NoServer',
    'AuthFailed',
    'BadAddress',
    'Disconnected',
    'NoReply',
    'Timeout',
    'ServiceUnknown',
    'NameHasNoOwner',
  ].map((name) => FREEDESKTOP + name),
);
const DENIED = new Set(['AccessDenied', 'InteractiveAuthorizationRequired', 'AuthFailed'].map((n) => FREEDESKTOP + n));

/** By name: the class's own file brings dbus-next with it, and is loaded only to connect. */
export function isBusError(error: unknown): error is BusError {
  return error instanceof Error && error.name === 'BusError' && 'type' in error;
}

/** A dead bus, or one without systemd on it (`dbus-run-session`: activation fails as `Spawn.*`). */
export function isGone(error: BusError): boolean {
  return GONE.has(error.type) || error.type.startsWith(`${FREEDESKTOP}Spawn.`);
}

export function isDenied(error: BusError): boolean {
  return DENIED.has(error.type) || error.type.startsWith('org.freedesktop.PolicyKit1.');
}

export function unreachable(scope: string, address: string, cause: BusError): GpumodError<'bus-unreachable'> {
  const reason = isGone(cause) ? cause.message : `${cause.type}: ${cause.message}`;
  return new GpumodError('bus-unreachable', { scope, address, reason }, { cause });
}

/** The connection was lost or could not be made: worth another try, as opposed to an answer. */
export function isLoss(error: unknown): boolean {
  return isGpumodError(error) && (error.code === 'bus-unreachable' || error.code === 'no-user-bus');
}

/** systemd's refusal to start or stop a unit that we know to be loaded. Other errors pass through. */
export function refusal(error: unknown, unit: string, verb: string, load: string): unknown {
  if (!isBusError(error)) return error;
  const cause = { cause: error };
  if (isDenied(error)) return new GpumodError('not-permitted', { unit, verb, units: [unit] }, cause);
  // NoSuchUnit of a loaded unit names one that it requires: the message tells which.
  const reason = error.message || error.type;
  return new GpumodError('unit-unusable', { unit, load, reason }, cause);
}
