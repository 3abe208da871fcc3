/** From a D-Bus address to a socket on which the bus knows who we are. */
import { createConnection, type Socket } from 'node:net';
import { onAbort } from '../core/on-abort.ts';
import { AUTH_FAILED, BAD_ADDRESS, BusError, NO_REPLY, NO_SERVER } from './bus-error.ts';

const TIMEOUT_MS = 5_000;

/**
 * Connects to one address (no list). The caller sends BEGIN, so nothing more arrives before it listens.
 * Throws BusError, or the signal's reason.
 */
export function dial(address: string, signal: AbortSignal): Promise<Socket> {
  return authenticate(socketPath(address), signal);
}

/** `unix:path=/run/user/1000/bus,guid=...` to a path for `net`; abstract names begin with NUL there. */
function socketPath(entry: string): string {
  const [transport, rest = ''] = entry.split(/:(.*)/s);
  const pairs = rest.split(',').map((pair) => pair.split(/=(.*)/s));
  const value = (key: string) => pairs.find(([name]) => name === key)?.[1];
  const path = value('path') ?? (value('abstract') === undefined ? undefined : `\0${value('abstract')}`);
  if (transport !== 'unix' || !path) throw new BusError(BAD_ADDRESS, `unsupported address ${entry}`);
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new BusError(BAD_ADDRESS, `unsupported address ${entry}`, { cause });
  }
}

/**
 * Connects and authenticates as whoever the kernel says we are: with EXTERNAL and empty data no uid has to be named
 * (systemd's own client does the same).
 */
function authenticate(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = createConnection({ path });
    let answer = '';
    const settle = (error?: unknown) => {
      clearTimeout(timer);
      forget();
      socket.removeAllListeners();
      socket.on('error', () => {}); // one that comes between two owners must not crash the process
      if (error === undefined) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    const forget = onAbort(signal, () => settle(signal.reason));
    const late = () => settle(new BusError(NO_REPLY, `no answer in ${TIMEOUT_MS} ms`));
    const timer = setTimeout(late, TIMEOUT_MS);
    socket.on('error', (cause) => settle(new BusError(NO_SERVER, cause.message, { cause })));
    socket.on('close', () => settle(new BusError(AUTH_FAILED, 'closed during authentication')));
    socket.on('readable', () => {
      for (let chunk: unknown = socket.read(); chunk !== null; chunk = socket.read()) answer += String(chunk);
      if (/^OK .*\r\n/m.test(answer)) settle();
      else if (/^(REJECTED|ERROR)/m.test(answer) || answer.length > 4096)
        settle(new BusError(AUTH_FAILED, answer.slice(0, 80).trim()));
    });
    socket.write('\0AUTH EXTERNAL\r\nDATA\r\n');
  });
}
