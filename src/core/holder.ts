/** Who is at work: the process that holds the lock, or held it when it died. */

export interface LockHolder {
  readonly pid: number;
  /** Tells it from another process of the same number. */
  readonly life: string;
  /** It has had the lock, Unix milliseconds: not when it began to wait for it. */
  readonly sinceMs: number;
  /** As it would be typed: `mode switch rag`. */
  readonly command: string;
}

export function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, life, sinceMs, command } = value as Partial<Record<keyof LockHolder, unknown>>;
  return (
    Number.isSafeInteger(pid) && typeof life === 'string' && Number.isFinite(sinceMs) && typeof command === 'string'
  );
}
