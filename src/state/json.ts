/** JSON from the disk: it may be damaged, cut short, or another program's. Pure. */

export type Entry = Readonly<Record<string, unknown>>;

/** Undefined: it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Its members; of what has none: an empty one. */
export function entryOf(value: unknown): Entry {
  return typeof value === 'object' && value !== null ? (value as Entry) : {};
}
