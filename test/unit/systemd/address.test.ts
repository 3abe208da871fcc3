/** Which bus is chosen, from environment, uid and what lies where. */
import { describe, expect, it } from 'vitest';
import type { Scope } from '../../../src/core/model.ts';
import { busAddress } from '../../../src/systemd/address.ts';

/** `sockets`: path of the directory that holds a `bus` → its owner. */
function chosen(
  scope: Scope,
  uid: number,
  env: Record<string, string>,
  directories: Record<string, number> = {},
): string {
  const look = (path: string) => {
    const directory = path.replace(/\/bus$/, '');
    const owner = directories[directory];
    return owner === undefined ? undefined : { uid: owner, isSocket: path.endsWith('/bus') };
  };
  try {
    return busAddress(scope, { env, uid, look });
  } catch (error) {
    const { code, details } = error as { code: string; details: { user: string } };
    return `!${code} ${details.user}`;
  }
}

const MINE = { '/run/user/1000': 1000 };

describe('the user bus', () => {
  it.each<
    [what: string, expected: string, uid: number, env: Record<string, string>, directories: Record<string, number>]
  >([
    ['of the runtime directory', 'unix:path=/x/bus', 1000, { XDG_RUNTIME_DIR: '/x' }, { '/x': 1000, ...MINE }],
    ['of the standard place, as under cron', 'unix:path=/run/user/1000/bus', 1000, {}, MINE],
    [
      'not of a directory of someone else (sudo -u)',
      'unix:path=/run/user/1000/bus',
      1000,
      { XDG_RUNTIME_DIR: '/run/user/0' },
      { '/run/user/0': 0, ...MINE },
    ],
    [
      'not the session address while a runtime directory is there',
      'unix:path=/run/user/1000/bus',
      1000,
      { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/tmp/x' },
      MINE,
    ],
    [
      'the session address when nothing better is there',
      'unix:path=/tmp/x',
      1000,
      { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/tmp/x' },
      {},
    ],
    ['escaped', 'unix:path=/a%3bb%2cc/bus', 1000, { XDG_RUNTIME_DIR: '/a;b,c' }, { '/a;b,c': 1000 }],
    ['missing: no-user-bus', '!no-user-bus op', 1000, { LOGNAME: 'op' }, {}],
    ['missing, without a name', '!no-user-bus 1000', 1000, {}, {}],
    [
      "under sudo: refused, not root's",
      '!user-scope-as-root op',
      0,
      { SUDO_USER: 'op', SUDO_UID: '1000' },
      { '/run/user/0': 0 },
    ],
    ['under sudo, with the uid only', '!user-scope-as-root 1000', 0, { SUDO_UID: '1000' }, { '/run/user/0': 0 }],
    ["root's own, without sudo", 'unix:path=/run/user/0/bus', 0, {}, { '/run/user/0': 0 }],
    [
      "root's own, by root's sudo",
      'unix:path=/run/user/0/bus',
      0,
      { SUDO_USER: 'root', SUDO_UID: '0' },
      { '/run/user/0': 0 },
    ],
    [
      'of the user whom root became by sudo',
      'unix:path=/run/user/1000/bus',
      1000,
      { SUDO_USER: 'root', SUDO_UID: '0' },
      MINE,
    ],
  ])('%s', (_what, expected, uid, env, directories) => {
    expect(chosen('user', uid, env, directories)).toBe(expected);
  });
});

describe('the system bus', () => {
  it('is the standard one, or the one the environment names; sudo is fine', () => {
    expect(chosen('system', 1000, {})).toBe('unix:path=/run/dbus/system_bus_socket');
    expect(chosen('system', 0, { SUDO_USER: 'op' })).toBe('unix:path=/run/dbus/system_bus_socket');
    expect(chosen('system', 1000, { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/tmp/s' })).toBe('unix:path=/tmp/s');
  });
});
