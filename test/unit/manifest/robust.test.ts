/** Whatever the text, a load ends in a manifest or in one of our errors, and soon. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is how a manifest names a variable
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGpumodError } from '../../../src/core/errors.ts';
import { PIECES } from '../../kit/fuzz.ts';
import { issuesOf, issueText, load } from './kit.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../../modes/workstation.yaml'), 'utf8');

/** `fine`, or the code of our error; anything else is thrown. */
const outcome = (text: string): Promise<string> =>
  load(text).then(
    () => 'fine',
    (error: unknown) => {
      if (!isGpumodError(error)) throw error;
      if (error.code === 'manifest-invalid') expect(error.details.issues.length).toBeGreaterThan(0);
      return error.code;
    },
  );

describe('a text', () => {
  it('with random cuts and pieces put in', async () => {
    const piece = fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 8, unit: 'binary' }));
    const edit = fc.record({ at: fc.nat(TEXT.length), cut: fc.nat(40), put: piece });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 5 }), async (edits) => {
        const text = edits.reduce((all, { at, cut, put }) => all.slice(0, at) + put + all.slice(at + cut), TEXT);
        expect(['fine', 'manifest-invalid']).toContain(await outcome(text));
      }),
      { numRuns: 300 },
    );
  });

  it('with values of any kind where others belong', async () => {
    const lines = TEXT.split('\n');
    const value = fc.constantFrom(
      '',
      '1',
      '-1',
      '.inf',
      'true',
      '[]',
      '{}',
      '[1, {a: b}]',
      '"\\0"',
      '9e999',
      '2001-01-01',
      '~',
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(lines.length - 1), value, async (index, put) => {
        const text = lines.map((line, at) => (at === index ? line.replace(/:.*/, `: ${put}`) : line)).join('\n');
        expect(['fine', 'manifest-invalid']).toContain(await outcome(text));
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['open brackets', '['.repeat(100_000)],
    ['mappings in mappings', '{a: '.repeat(20_000)],
    ['lists in lists', '- '.repeat(50_000)],
    ['keys in keys', '? '.repeat(50_000)],
    ['anchors', '&a '.repeat(10_000)],
    ['quotes', '"'.repeat(20_000)],
    ['commas', `[${','.repeat(20_000)}`],
    ['one long line', `version: ${'x'.repeat(250_000)}`],
    ['many keys', Array.from({ length: 5_000 }, (_, i) => `k${i}: 1`).join('\n')],
    ['many aliases', `a: &a [1]\nb: [${'*a, '.repeat(50_000)}]`],
    ['random bytes', Array.from({ length: 5000 }, (_, i) => String.fromCharCode((i * 7919) % 256)).join('')],
  ])('of nothing but %s', async (_, text) => {
    expect(await outcome(text)).toBe('manifest-invalid');
  });

  it('that is too large, or no text', async () => {
    const large = await issuesOf(load(`# ${'x'.repeat(10_000_000)}`));
    expect(large.map(issueText)).toEqual(['1:1 no manifest: more than 262144 bytes']);
    const binary = await issuesOf(load('version: 1\nservices: {a\u0000: 1}\n'));
    expect(binary.map(issueText)).toEqual(['2:13 no text file: it holds the byte 0x00']);
  });

  it('never tells a secret written where none belongs', async () => {
    const secret = 'sk-hunter2';
    const service = `engine: vllm, url: "http://u:${secret}@127.0.0.1:1?k=${secret}"`;
    for (const key of [
      secret,
      `{env: ${secret}}`,
      `{key: ${secret}}`,
      `[${secret}]`,
      `{env: A, file: ${secret}}`,
      `|${secret}`,
    ])
      for (const end of ['}', '']) {
        const issues = await issuesOf(load(`version: 1\nservices:\n  a: {${service}, apiKey: ${key}${end}\n`));
        expect(issues.map(issueText).join('\n')).not.toContain(secret);
      }
  });
});
