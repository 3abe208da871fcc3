/** The parts of unit files: who wrote one, and what differs between two. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what a unit file has a meaning for
import { describe, expect, it } from 'vitest';
import { unifiedDiff } from '../../../src/unit-file/diff.ts';
import { argument, assignment, wholePath } from '../../../src/unit-file/escape.ts';
import { stamped, standingOf } from '../../../src/unit-file/stamp.ts';

describe('a value', () => {
  it.each([
    ['plain-1.0/a:b=c', 'plain-1.0/a:b=c'],
    ['', '""'],
    [';', '";"'],
    ['a b', '"a b"'],
    ['50%', '"50%%"'],
    ['$HOME ${X}', '"$$HOME $${X}"'],
    ['say "\\n"', '"say \\"\\\\n\\""'],
  ])('%s as an argument', (text, expected) => expect(argument(text)).toBe(expected));

  it('keeps its dollar in the environment', () => expect(assignment('A', '$x %h')).toBe('"A=$x %%h"'));

  it.each(['a\nb', '\t', '\0', '\ud800'])('%j is refused', (text) => {
    expect(() => argument(text)).toThrow('an argument');
    expect(() => wholePath(`/${text}`)).toThrow();
  });
});

describe('a file', () => {
  const own = stamped('install', 'a\nb\n');
  it('is known as ours until it is edited', () => {
    expect(standingOf(own)).toBe('own');
    expect(standingOf(`${own}c\n`)).toBe('edited');
    expect(standingOf(own.replace('b\n', 'B\n'))).toBe('edited');
    expect(standingOf('a\nb\n')).toBe('foreign');
    expect(standingOf(`\n${own}`)).toBe('foreign');
    expect(standingOf('')).toBe('foreign');
  });
});

describe('a difference', () => {
  const diff = (old: string | undefined, now: string) =>
    unifiedDiff({ name: 'old', text: old }, { name: 'now', text: now });
  const lines = (...numbers: number[]) => numbers.map((number) => `${number}\n`).join('');
  it('is nothing between equals', () => expect(diff('a\n', 'a\n')).toBe(''));
  it('of a file that is not there is all of it', () =>
    expect(diff(undefined, 'a\nb\n')).toBe('--- /dev/null\n+++ now\n@@ -0,0 +1,2 @@\n+a\n+b\n'));
  it('shows three lines around', () =>
    expect(diff(lines(1, 2, 3, 4, 5, 6, 7, 8, 9), lines(1, 2, 3, 4, 0, 6, 7, 8, 9))).toBe(
      '--- old\n+++ now\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+0\n 6\n 7\n 8\n',
    ));
  it('splits what is far apart', () =>
    expect(diff(lines(1, 2, 3, 4, 5, 6, 7, 8, 9), lines(2, 3, 4, 5, 6, 7, 8, 9, 10)).match(/^@@.*/gm)).toEqual([
      '@@ -1,4 +1,3 @@',
      '@@ -7,3 +6,4 @@',
    ]));
  it('sees a missing line break', () => expect(diff('a', 'a\n')).toContain('-a\n\\ No newline at end of file\n+a\n'));
});
