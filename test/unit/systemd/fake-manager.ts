/** A scripted systemd manager behind the `Bus` interface: it records calls, answers them and can lose the connection. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onAbort } from '../../../src/core/on-abort.ts';
import { type Bus, type BusCall, BusError, type BusSignal, type ConnectBus } from '../../../src/io/bus.ts';
import { type Clock, systemClock } from '../../../src/io/clock.ts';
import { unitPath } from '../../../src/systemd/names.ts';
import { openSystemd } from '../../../src/systemd/systemd.ts';
import type { Units } from '../../../src/systemd/units.ts';

const DISCONNECTED = 'org.freedesktop.DBus.Error.Disconnected';
export const UNIT = 'chat.service';
export const JOB = '/org/freedesktop/systemd1/job/7';

export interface FakeManager {
  readonly units: Units;
  /** Members of all calls so far, in the order sent; bus housekeeping included. */
  readonly calls: string[];
  /** What the unit's properties are now. */
  properties: Record<string, unknown>;
  /** Connections made so far. */
  connections: number;
  /** Until false, connecting fails. */
  reachable: boolean;
  jobRemoved(result: string): void;
  unitChanged(): void;
  lose(): void;
}

/** `answer` handles the calls that change something; it may throw, or return undefined never to answer. */
export function fakeManager(answer: (manager: FakeManager, member: string) => unknown[] | undefined): FakeManager {
  let listeners = { signal: new Set<(signal: BusSignal) => void>(), lost: new Set<(reason: BusError) => void>() };
  let reject: (() => void)[] = [];

  const reply = async (call: BusCall): Promise<unknown[]> => {
    manager.calls.push(call.member);
    await nextTurn();
    if (['AddMatch', 'Subscribe'].includes(call.member)) return [];
    if (call.member === 'GetAll') return [{ ...manager.properties }];
    if (call.member === 'Get') return [manager.properties[String(call.body?.[1])]];
    if (call.member === 'ListUnitsByNames') {
      const { LoadState, ActiveState, SubState } = manager.properties;
      const row = (name: unknown) => [
        name,
        '',
        LoadState,
        ActiveState,
        SubState,
        '',
        '/unit/chat_2eservice',
        0,
        '',
        '/',
      ];
      return [[call.body?.[0] ?? []].flat().map(row)];
    }
    const body = answer(manager, call.member);
    return body ?? new Promise<unknown[]>(() => {});
  };

  const connect: ConnectBus = async () => {
    if (!manager.reachable) throw new BusError('org.freedesktop.DBus.Error.NoServer', 'ECONNREFUSED');
    manager.connections++;
    const mine = { signal: new Set<(signal: BusSignal) => void>(), lost: new Set<(reason: BusError) => void>() };
    listeners = mine;
    const bus: Bus = {
      call: (call, { signal } = {}) =>
        new Promise((resolve, fail) => {
          if (signal) onAbort(signal, () => fail(signal.reason));
          reject.push(() => fail(new BusError(DISCONNECTED, 'gone')));
          reply(call).then(resolve, fail);
        }),
      onSignal: (listener) => {
        mine.signal.add(listener);
        return () => mine.signal.delete(listener);
      },
      onClose: (listener) => {
        mine.lost.add(listener);
        return () => mine.lost.delete(listener);
      },
      close: () => {},
    };
    return bus;
  };

  const clock = hastyClock();
  const manager: FakeManager = {
    units: openSystemd({ scope: 'user', address: () => 'unix:path=/fake', connect, clock }),
    calls: [],
    properties: {
      Id: UNIT,
      LoadState: 'loaded',
      ActiveState: 'inactive',
      SubState: 'dead',
      Job: [0, '/'],
      NRestarts: 0,
    },
    connections: 0,
    reachable: true,
    jobRemoved(result) {
      const where = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' };
      for (const listener of listeners.signal)
        listener({ ...where, member: 'JobRemoved', body: [7, JOB, UNIT, result] });
    },
    unitChanged() {
      const where = { path: unitPath(UNIT), interface: 'org.freedesktop.DBus.Properties' };
      for (const listener of listeners.signal) listener({ ...where, member: 'PropertiesChanged', body: [] });
    },
    lose() {
      for (const fail of reject.splice(0)) fail();
      for (const listener of listeners.lost) listener(new BusError(DISCONNECTED, 'gone'));
      reject = [];
    },
  };
  return manager;
}

/** Every sleep is over at the next turn of the event loop, and the time it asked for has passed. */
export function hastyClock(): Clock {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    deadline: systemClock.deadline,
    ticksMs: () => nowMs,
    async sleep(ms, signal) {
      signal.throwIfAborted();
      await nextTurn();
      signal.throwIfAborted();
      nowMs += ms;
    },
  };
}
