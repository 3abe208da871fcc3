import { describe, expect, it } from 'vitest';
import { near } from '../../../src/core/near.ts';
import { formatBytes, formatSeconds, parseDuration, parseSize } from '../../../src/core/units.ts';

describe('sizes', () => {
  it.each([
    ['20000MiB', 20000 * 2 ** 20],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['5GB', 5e9],
    ['0B', 0],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));
  it.each(['7000', '7 000MiB', 'MiB', '-1GiB', '1gib', '', '1GiB2'])('%j is none', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  );
  it('are shown with one decimal of GiB, else whole MiB', () => {
    expect(formatBytes(6.1 * 2 ** 30)).toBe('6.1 GiB');
    expect(formatBytes(600 * 2 ** 20)).toBe('600 MiB');
  });
});

describe('durations', () => {
  it.each([
    ['90', 90_000],
    ['90s', 90_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['0.5', 500],
    ['1h', 3_600_000],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));
  it.each(['', '-1', 's', '1d', '1m 30s', '1 m', 'abc'])('%j is none', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );
  it('are shown in seconds, then minutes', () => {
    expect(formatSeconds(6.44)).toBe('6.4 s');
    expect(formatSeconds(125)).toBe('2 min 5 s');
  });
});

describe('near names', () => {
  const known = ['code', 'rag', 'speak', 'hacker'];
  it.each([
    ['rga', 'rag'],
    ['cod', 'code'],
    ['SPEAK', 'speak'],
    ['hack', 'hacker'],
  ])('%s means %s', (name, meant) => expect(near(name, known)).toBe(meant));
  it('nothing means nothing', () => expect(near('zzzzzz', known)).toBeUndefined());
});
