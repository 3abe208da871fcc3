/** A socket whose first connection switches to a mode, and systemd's own proxy from it to a service of that mode. Pure. */
import type { Argv } from '../core/model.ts';
import type { Listen } from './address.ts';
import { argument, program } from './escape.ts';
import { stamped } from './stamp.ts';

export interface SocketWish {
  readonly mode: string;
  /** Of loopback. */
  readonly port: number;
  /** What answers there once the mode holds. */
  readonly target: Listen;
  /** The program that switches, and what it is told before the command. */
  readonly gpumod: Argv;
  readonly lockSeconds: number;
  readonly proxyd: string;
  /** Undefined: this proxy can't end by itself. */
  readonly idleSeconds: number | undefined;
}

export interface SocketUnits {
  readonly socket: { readonly unit: string; readonly text: string };
  readonly service: { readonly unit: string; readonly text: string };
}

/** Throws Unwritable. */
export function socketUnits(wish: SocketWish): SocketUnits {
  const { mode, port, target, gpumod, lockSeconds, proxyd, idleSeconds } = wish;
  const [socket, service] = [`gpumod-${mode}.socket`, `gpumod-${mode}-proxy.service`];
  const [name, ...args] = gpumod;
  const switching = [...args, '--quiet', 'mode', 'switch', mode, '--lock-timeout', `${lockSeconds}s`];
  const command = (first: string, rest: readonly string[]) => [program(first), ...rest.map(argument)].join(' ');
  const idle = idleSeconds === undefined ? [] : [`--exit-idle-time=${idleSeconds}s`];
  return {
    socket: {
      unit: socket,
      text: lines(
        `# The first connection to port ${port} switches to mode ${mode}, and waits for it.`,
        '',
        '[Unit]',
        `Description=gpumod: mode ${mode} on demand`,
        '',
        '[Socket]',
        `ListenStream=127.0.0.1:${port}`,
        `Service=${service}`,
        '# After a failed switch whoever waits is cut off, and the next connection tries again; else systemd would try at once',
        '# and for ever, for the same connection.',
        'FlushPending=yes',
        '',
        '[Install]',
        'WantedBy=sockets.target',
      ),
    },
    service: {
      unit: service,
      text: lines(
        `# Started by ${socket}.`,
        '',
        '[Unit]',
        `Description=gpumod: mode ${mode}, and a proxy to it`,
        `Requires=${socket}`,
        `After=${socket}`,
        '# Each connection after a quiet time is a start: no number of them is too many.',
        'StartLimitIntervalSec=0',
        '',
        '[Service]',
        '# The proxy sends no readiness message.',
        'Type=exec',
        '# No change when the mode holds already.',
        `ExecStartPre=${command(name, switching)}`,
        ...(idle.length > 0
          ? ['# It ends when nobody is connected for that long, and so the next connection asks for the mode again.']
          : []),
        `ExecStart=${command(proxyd, [...idle, placeOf(target)])}`,
        '# Each step of the switch has a timeout of its own in the manifest.',
        'TimeoutStartSec=infinity',
        '# SIGTERM: gpumod ends the running step and tells the state; the proxy ends at once.',
        'TimeoutStopSec=5min',
        'KillMode=mixed',
      ),
    },
  };
}

const lines = (...all: readonly string[]): string => stamped('socket', `${all.join('\n')}\n`);

/** The proxy takes what is behind the last colon as the port, without brackets. */
const placeOf = (target: Listen): string => ('socket' in target ? target.socket : `${target.host}:${target.port}`);
