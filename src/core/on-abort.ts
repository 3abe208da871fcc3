/** One listener on a signal, however many wait on it: Node warns on stderr from the eleventh on. */

/** A signal that never aborts. */
export const never = (): AbortSignal => new AbortController().signal;

interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly callAll: () => void;
}

const waitingOn = new WeakMap<AbortSignal, Waiting>();

/** Calls back once when the signal aborts; the returned function takes that back. An aborted signal calls nothing. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  const { callbacks, callAll } = waitingOn.get(signal) ?? listen(signal);
  callbacks.add(aborted);
  return () => {
    // A signal with a listener is never freed, so the last one takes it off.
    if (!callbacks.delete(aborted) || callbacks.size > 0) return;
    signal.removeEventListener('abort', callAll);
    if (waitingOn.get(signal)?.callbacks === callbacks) waitingOn.delete(signal);
  };
}

function listen(signal: AbortSignal): Waiting {
  const callbacks = new Set<() => void>();
  const callAll = () => {
    for (const callback of [...callbacks]) callback();
  };
  const waiting = { callbacks, callAll };
  signal.addEventListener('abort', callAll, { once: true });
  waitingOn.set(signal, waiting);
  return waiting;
}
