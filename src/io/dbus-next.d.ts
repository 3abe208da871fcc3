/** The parts of dbus-next 0.10.2 that `bus.ts` uses; the package's own types leave them out. */

declare module 'dbus-next/lib/message.js' {
  /** A message off the wire, its body not yet in plain form. */
  export interface RawMessage {
    readonly type: number;
    readonly serial: number;
    readonly replySerial?: number;
    readonly errorName?: string;
    readonly path?: string;
    readonly interface?: string;
    readonly member?: string;
    readonly signature?: string;
    readonly body?: unknown[];
  }

  /** Subscribes to `readable` and calls back once a message; throws inside the listener on nonsense. */
  export function unmarshalMessages(
    stream: { on(event: 'readable', listener: () => void): unknown; read(size: number): unknown },
    onMessage: (message: RawMessage) => void,
  ): void;
}

declare module 'dbus-next/lib/marshall-compat.js' {
  import type { RawMessage } from 'dbus-next/lib/message.js';

  export interface OutgoingMessage {
    type: number;
    serial: number;
    flags: number;
    destination: string;
    path: string;
    interface: string;
    member: string;
    signature: string;
    body: unknown[];
  }

  /** Gives the bytes, and the file descriptors to pass (none here). Changes its argument. */
  export function marshallMessage(message: OutgoingMessage): [Buffer, unknown[]];
  /** Body values in plain form, variants as `Variant`, 64-bit integers as bigint. */
  export function messageToJsFmt(message: RawMessage): { body: unknown[] };
}

declare module 'dbus-next/lib/variant.js' {
  export class Variant {
    readonly signature: string;
    readonly value: unknown;
  }
}
