/**
 * One D-Bus connection on which every call settles: the only file that knows dbus-next.
 * Only its wire format is used. Its own connection leaves pending calls hanging when the bus goes away, swallows what
 * listeners throw and turns a refused Hello into an unhandled rejection, so the socket and the pending calls are ours.
 */
import type { Socket } from 'node:net';
import { marshallMessage, messageToJsFmt } from 'dbus-next/lib/marshall-compat.js';
import { type RawMessage, unmarshalMessages } from 'dbus-next/lib/message.js';
import { Variant } from 'dbus-next/lib/variant.js';
import { onAbort } from '../core/on-abort.ts';
import { BAD_ADDRESS, BusError, DISCONNECTED, NO_REPLY } from './bus-error.ts';
import { dial } from './dial.ts';

export { BusError };

export interface BusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** D-Bus signature of `body`; absent = no arguments. */
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

export interface BusSignal {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

/**
 * Bodies come in plain form: variants as their value, 64-bit integers as number (as bigint where that would not be
 * exact), `ay` as Buffer.
 */
export interface Bus {
  /** Rejects with BusError (the bus's answer, a loss or a timeout) or with the signal's reason. */
  call(call: BusCall, options?: { readonly signal?: AbortSignal; readonly timeoutMs?: number }): Promise<unknown[]>;
  /** The returned function unsubscribes. What a listener throws is a bug and is thrown on, not swallowed. */
  onSignal(listener: (signal: BusSignal) => void): () => void;
  /** Called once when the connection is lost; not by `close`. */
  onClose(listener: (reason: BusError) => void): () => void;
  /** Rejects what is pending and lets the process end. */
  close(): void;
}

export type ConnectBus = (address: string, options: { readonly signal: AbortSignal }) => Promise<Bus>;

const HELLO_TIMEOUT_MS = 5_000;
const CALL_TIMEOUT_MS = 25_000;
const MESSAGE = { call: 1, reply: 2, error: 3, signal: 4 } as const;

/** Connects to the first of the addresses (`;` between them) that answers, and says Hello. */
export const connectBus: ConnectBus = async (address, { signal }) => {
  let failure: unknown = new BusError(BAD_ADDRESS, address);
  for (const entry of address.split(';').filter((text) => text !== '')) {
    try {
      return await connectOne(entry, signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
};

async function connectOne(entry: string, signal: AbortSignal): Promise<Bus> {
  const socket = await dial(entry, signal);
  const bus = new Connection(socket);
  const name = 'org.freedesktop.DBus';
  try {
    const hello = { destination: name, path: '/org/freedesktop/DBus', interface: name, member: 'Hello' };
    await bus.call(hello, { signal, timeoutMs: HELLO_TIMEOUT_MS });
  } catch (error) {
    bus.close();
    throw error;
  }
  return bus;
}

interface Pending {
  readonly resolve: (body: unknown[]) => void;
  readonly reject: (reason: unknown) => void;
}

class Connection implements Bus {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #signalListeners = new Set<(signal: BusSignal) => void>();
  readonly #closeListeners = new Set<(reason: BusError) => void>();
  #serial = 0;
  #dead: BusError | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (cause) => this.#lose(cause.message, cause));
    socket.on('close', () => this.#lose('the bus closed the connection'));
    const reader = {
      read: (size: number): unknown => socket.read(size),
      on: (_event: 'readable', listener: () => void) =>
        socket.on('readable', () => {
          try {
            if (!this.#dead) listener();
          } catch (cause) {
            this.#lose('not understood', cause);
          }
        }),
    };
    unmarshalMessages(reader, (message) => this.#received(message));
    if (socket.destroyed) this.#lose('the bus closed the connection');
    else socket.write('BEGIN\r\n');
  }

  call(
    call: BusCall,
    { signal, timeoutMs = CALL_TIMEOUT_MS }: { signal?: AbortSignal; timeoutMs?: number } = {},
  ): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#dead) throw this.#dead;
      this.#serial = (this.#serial % 0xfffffffe) + 1;
      const serial = this.#serial;
      const { signature = '', body = [], ...where } = call;
      const [bytes] = marshallMessage({ type: MESSAGE.call, serial, flags: 0, ...where, signature, body: [...body] });
      const settled = () => {
        clearTimeout(timer);
        forget?.();
        this.#pending.delete(serial);
      };
      const fail = (reason: unknown) => {
        settled();
        reject(reason);
      };
      const forget = signal && onAbort(signal, () => fail(signal.reason));
      const late = () => fail(new BusError(NO_REPLY, `${call.member}: no reply in ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      this.#pending.set(serial, {
        reject: fail,
        resolve: (reply) => {
          settled();
          resolve(reply);
        },
      });
      this.#socket.write(bytes);
    });
  }

  onSignal(listener: (signal: BusSignal) => void): () => void {
    this.#signalListeners.add(listener);
    return () => this.#signalListeners.delete(listener);
  }

  onClose(listener: (reason: BusError) => void): () => void {
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  close(): void {
    this.#closeListeners.clear();
    this.#lose('closed');
  }

  #received(message: RawMessage): void {
    const { body } = messageToJsFmt(message);
    const plain = body.map(plainValue);
    if (message.type === MESSAGE.reply) this.#pending.get(message.replySerial ?? 0)?.resolve(plain);
    else if (message.type === MESSAGE.error) {
      const text = typeof plain[0] === 'string' ? plain[0] : '';
      this.#pending.get(message.replySerial ?? 0)?.reject(new BusError(message.errorName ?? '', text));
    } else if (message.type === MESSAGE.signal) {
      const { path = '', interface: iface = '', member = '' } = message;
      for (const listener of this.#signalListeners)
        aside(() => listener({ path, interface: iface, member, body: plain }));
    }
  }

  #lose(why: string, cause?: unknown): void {
    if (this.#dead) return;
    this.#dead = new BusError(DISCONNECTED, why, { cause });
    this.#socket.destroy();
    for (const pending of [...this.#pending.values()]) pending.reject(this.#dead);
    for (const listener of this.#closeListeners) {
      const reason = this.#dead;
      aside(() => listener(reason));
    }
  }
}

/** Calls a listener so that what it throws ends the process as any bug does, and not the reading of messages. */
function aside(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value instanceof Variant) return plainValue(value.value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plainValue(entry)]));
}
