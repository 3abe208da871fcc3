/** A process's connection to the simulated card: JSON lines over a Unix socket, or straight into the ledger. */
import { createConnection } from 'node:net';
import type { CardReading, Disturbance, Granted, Ledger, WindowKind } from './ledger.ts';
import { onLines } from './lines.ts';

/** What one process may do with the card. */
export interface CardClient {
  /** Not granted: the card is too full. */
  alloc(gpu: number, bytes: number): Promise<Granted>;
  free(gpu: number, bytes: number): Promise<void>;
  begin(kind: WindowKind, gpus: readonly number[]): Promise<{ end(): Promise<readonly Disturbance[]> }>;
  read(): Promise<CardReading>;
  /** The process ends; what it held comes back a little later. */
  close(): void;
  /** Resolves when the card itself is gone. */
  readonly lost: Promise<void>;
}

/** One request line; `op` names a method of the ledger. */
export type CardRequest = { readonly id: number } & (
  | { readonly op: 'enter'; readonly pid: number }
  | { readonly op: 'alloc' | 'free'; readonly gpu: number; readonly bytes: number }
  | { readonly op: 'begin'; readonly kind: WindowKind; readonly gpus: readonly number[] }
  | { readonly op: 'end'; readonly window: number }
  | { readonly op: 'read' }
);

export type CardReply = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

/** Carries out one request on the ledger for a session. */
export function serve(ledger: Ledger, session: number, request: CardRequest): unknown {
  switch (request.op) {
    case 'enter':
      return session;
    case 'alloc':
      return ledger.alloc(session, request.gpu, request.bytes);
    case 'free':
      return ledger.free(session, request.gpu, request.bytes);
    case 'begin':
      return ledger.begin(session, request.kind, request.gpus);
    case 'end':
      return ledger.end(request.window);
    case 'read':
      return ledger.read();
  }
}

/** A client in the card's own process. */
export function attach(ledger: Ledger, pid: number): CardClient {
  const session = ledger.enter(pid);
  return {
    alloc: async (gpu, bytes) => ledger.alloc(session, gpu, bytes),
    free: async (gpu, bytes) => ledger.free(session, gpu, bytes),
    begin: async (kind, gpus) => {
      const window = ledger.begin(session, kind, gpus);
      return { end: async () => ledger.end(window) };
    },
    read: async () => ledger.read(),
    close: () => ledger.leave(session),
    lost: new Promise(() => {}),
  };
}

/** Connects to a card in another process; rejects when nothing listens there. */
export async function connectCard(socketPath: string, pid: number): Promise<CardClient> {
  const socket = createConnection(socketPath);
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let numbers = 0;
  const lost = new Promise<void>((resolve) => {
    socket.on('close', () => {
      for (const { reject } of waiting.values()) reject(new Error('the card is gone'));
      waiting.clear();
      resolve();
    });
  });
  onLines(socket, (line) => {
    const reply = JSON.parse(line) as CardReply;
    const caller = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ('error' in reply) caller?.reject(new Error(reply.error));
    else caller?.resolve(reply.value);
  });
  const ask = <T>(request: Record<string, unknown>): Promise<T> =>
    new Promise((resolve, reject) => {
      numbers += 1;
      waiting.set(numbers, { resolve: (value) => resolve(value as T), reject });
      socket.write(`${JSON.stringify({ id: numbers, ...request })}\n`);
    });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', reject);
  });
  socket.on('error', () => {}); // followed by `close`, which is what counts
  await ask({ op: 'enter', pid });
  return {
    alloc: (gpu, bytes) => ask({ op: 'alloc', gpu, bytes }),
    free: (gpu, bytes) => ask({ op: 'free', gpu, bytes }),
    begin: async (kind, gpus) => {
      const window = await ask<number>({ op: 'begin', kind, gpus });
      return { end: () => ask({ op: 'end', window }) };
    },
    read: () => ask({ op: 'read' }),
    close: () => socket.destroy(),
    lost,
  };
}
