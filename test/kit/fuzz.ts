/** Randomness that can be had again: a seed, mutations of texts and of JSON, and how many cases to try. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is how a manifest names a variable

export type Random = () => number;

/** In [0, 1); mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `GPUMOD_FUZZ_SEED`, else another one every day. */
export const SEED: number = Number(process.env['GPUMOD_FUZZ_SEED'] ?? Math.floor(Date.now() / 86_400_000));
/** `GPUMOD_FUZZ`: the number of cases, for a long run. */
export const casesOr = (few: number): number => Number(process.env['GPUMOD_FUZZ'] ?? few);

export const below = (random: Random, limit: number): number => Math.floor(random() * limit);
export const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)] as T;

/** What trips a reader of YAML. */
export const PIECES: readonly string[] = [
  '\n',
  ' ',
  ':',
  '- ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '\t',
  '&a ',
  '*a',
  '!x ',
  '|',
  '#',
  '${X}',
  '$${',
  '---\n',
  '<<: ',
  '? ',
]
  .concat([
    '\0',
    '\u001b[2J',
    '\u202e',
    '\ud800',
    '\ufeff',
    '💥',
    '\u2028',
    '\r',
    '1e999',
    '-1',
    '0x7f',
    '99999999999999999999',
  ])
  .concat([
    'null',
    'true',
    '.inf',
    '__proto__',
    'constructor',
    'x'.repeat(5_000),
    '['.repeat(100),
    '{"a":'.repeat(100),
  ]);

/** Bytes of a text that was cut, spliced, flipped, doubled; `most` changes at most. */
export function mutated(random: Random, text: string, others: readonly string[], most = 8): Buffer {
  let bytes: Buffer = Buffer.from(text);
  for (let left = 1 + below(random, most); left > 0; left -= 1) bytes = pick(random, CHANGES)(random, bytes, others);
  return bytes;
}

type Change = (random: Random, bytes: Buffer, others: readonly string[]) => Buffer;

const spliced = (bytes: Buffer, at: number, cut: number, put: Buffer) =>
  Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
const byLines = (bytes: Buffer, change: (lines: string[]) => void) => {
  const lines = bytes.toString('latin1').split('\n');
  change(lines);
  return Buffer.from(lines.join('\n'), 'latin1');
};

const CHANGES: readonly Change[] = [
  (random, bytes) => {
    const copy: Buffer = Buffer.from(bytes);
    if (copy.length > 0) copy[below(random, copy.length)] = below(random, 256);
    return copy;
  },
  (random, bytes) => spliced(bytes, below(random, bytes.length + 1), below(random, 40), Buffer.alloc(0)),
  (random, bytes) =>
    spliced(bytes, below(random, bytes.length + 1), below(random, 4), Buffer.from(pick(random, PIECES))),
  (random, bytes) => Buffer.from(bytes.subarray(0, below(random, bytes.length + 1))),
  (random, bytes) => byLines(bytes, (lines) => lines.splice(below(random, lines.length), 0, pick(random, lines))),
  (random, bytes) =>
    byLines(bytes, (lines) => {
      const [one, other] = [below(random, lines.length), below(random, lines.length)];
      [lines[one], lines[other]] = [lines[other] ?? '', lines[one] ?? ''];
    }),
  (random, bytes) =>
    byLines(bytes, (lines) => {
      const at = below(random, lines.length);
      lines[at] = (lines[at] ?? '').replace(/:.*/, `: ${pick(random, PIECES)}`);
    }),
  (random, bytes, others) => {
    const other = Buffer.from(pick(random, others));
    const from = below(random, other.length + 1);
    return spliced(bytes, below(random, bytes.length + 1), 0, other.subarray(from, from + below(random, 400)));
  },
];

const ODD: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 60,
  'NaN',
  '',
  'x',
  'ready',
  [],
  {},
  [null],
  [[]],
  { id: null },
].concat(['\u001b[2J', '\ud800', 'x'.repeat(10_000)] as never[]);

/** A JSON value with some of its parts in the wrong type, missing or twice. */
export function mutatedJson(random: Random, value: unknown, chance = 0.15): unknown {
  if (random() < chance) return random() < 0.2 ? [value, value] : pick(random, ODD);
  if (Array.isArray(value)) return value.map((item) => mutatedJson(random, item, chance));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(() => random() > chance / 2);
  return Object.fromEntries(kept.map(([key, item]) => [key, mutatedJson(random, item, chance)]));
}
