/** Calls that change something, heard of as they end: whoever makes them tells, whoever keeps a record listens. */
import { isGpumodError } from './errors.ts';

/** One call; times as `Clock.ticksMs` tells them. */
export interface Heard {
  readonly beganMs: number;
  readonly endedMs: number;
  /** On whose behalf: one of both is told. */
  readonly service?: string;
  readonly unit?: string;
  /** `POST /sleep?level=1`, `StartUnit chat.service`: no secrets. */
  readonly call: string;
  /** `200`, `done`, a failure's code. */
  readonly answer: string;
}

export interface Calls {
  /** From now on, until the returned function is called. */
  listen(hear: (call: Heard) => void): () => void;
}

export interface CallLog extends Calls {
  tell(call: Heard): void;
}

export function openCallLog(): CallLog {
  const listeners = new Set<(call: Heard) => void>();
  return {
    listen(hear) {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    tell(call) {
      for (const hear of listeners) hear(call);
    },
  };
}

/** Where calls are told, and by which clock. */
export interface Ear {
  readonly log: CallLog;
  /** Milliseconds. */
  readonly ticksMs: () => number;
}

/** Makes one call and tells of it, whether it ends well or not. */
export async function telling<T>(
  { log, ticksMs }: Ear,
  what: Pick<Heard, 'service' | 'unit' | 'call'>,
  work: () => Promise<T>,
  answerOf: (ended: T) => string,
): Promise<T> {
  const beganMs = ticksMs();
  const tell = (answer: string) => log.tell({ ...what, answer, beganMs, endedMs: ticksMs() });
  try {
    const ended = await work();
    tell(answerOf(ended));
    return ended;
  } catch (error) {
    tell(failureCode(error));
    throw error;
  }
}

/** `timed-out`: by a deadline; a failure of the client has a kind (`refused`), of the system a code (`ENOENT`). */
function failureCode(error: unknown): string {
  if (isGpumodError(error)) return error.code;
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'TimeoutError') return 'timed-out';
  if (error.name === 'AbortError') return 'aborted';
  const { kind, code } = error as { readonly kind?: unknown; readonly code?: unknown };
  return [kind, code].find((each) => typeof each === 'string') ?? 'failed';
}
