/** Two texts as a unified diff, for `diff -u`'s readers and `patch`. Pure. */

interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

const CONTEXT = 3;

/** Empty when they are equal. `undefined`: there is no such file. */
export function unifiedDiff(
  old: { readonly name: string; readonly text: string | undefined },
  now: { readonly name: string; readonly text: string },
): string {
  if (old.text === now.text) return '';
  const edits = editsOf(linesOf(old.text ?? ''), linesOf(now.text));
  const name = old.text === undefined ? '/dev/null' : old.name;
  return [`--- ${name}`, `+++ ${now.name}`, ...hunksOf(edits), ''].join('\n');
}

const linesOf = (text: string): readonly string[] => {
  if (text === '') return [];
  const lines = text.split('\n');
  return lines.at(-1) === ''
    ? lines.slice(0, -1)
    : [...lines.slice(0, -1), `${lines.at(-1)}\n\\ No newline at end of file`];
};

/** By the longest common subsequence: unit files are short. */
function editsOf(old: readonly string[], now: readonly string[]): readonly Edit[] {
  const common = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--)
      (common[i] as Uint16Array)[j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const edits: Edit[] = [];
  for (let i = 0, j = 0; i < old.length || j < now.length; )
    if (i < old.length && old[i] === now[j]) {
      edits.push({ sign: ' ', line: old[i++] ?? '' });
      j++;
    } else if (i < old.length && (j >= now.length || at(i + 1, j) >= at(i, j + 1)))
      edits.push({ sign: '-', line: old[i++] ?? '' });
    else edits.push({ sign: '+', line: now[j++] ?? '' });
  return edits;
}

function hunksOf(edits: readonly Edit[]): readonly string[] {
  const changes = edits.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]));
  const hunks: [number, number][] = [];
  for (const index of changes) {
    const last = hunks.at(-1);
    const [from, to] = [Math.max(0, index - CONTEXT), Math.min(edits.length, index + CONTEXT + 1)];
    if (last && from <= last[1]) last[1] = to;
    else hunks.push([from, to]);
  }
  return hunks.flatMap(([from, to]) => {
    const hunk = edits.slice(from, to);
    const range = (without: Edit['sign']) => {
      const before = edits.slice(0, from).filter(({ sign }) => sign !== without).length;
      const length = hunk.filter(({ sign }) => sign !== without).length;
      return `${before + (length > 0 ? 1 : 0)},${length}`;
    };
    return [`@@ -${range('+')} +${range('-')} @@`, ...hunk.map(({ sign, line }) => sign + line)];
  });
}
