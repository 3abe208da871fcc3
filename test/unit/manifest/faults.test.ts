/** Every manifest in test/fixtures/manifests ends in exactly the faults that its first lines (`#! ...`) tell. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemFiles } from '../../../src/io/files.ts';
import { loadManifest } from '../../../src/manifest/load.ts';
import { issuesOf, issueText } from './kit.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/manifests');
const ENV = { SET_SIZE: '7000MiB', SET_WORD: 'word' };

/** The lines that a fixture begins with. */
function told(text: string): string[] {
  const lines = text.split(/\r?\n/);
  return lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('#! ')),
    )
    .map((line) => line.slice(3));
}

function filesOf(name: string): string[] {
  const path = join(FIXTURES, name);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((file) => (/^[^.].*\.ya?ml$/.test(file) ? [join(path, file)] : []));
}

describe('a faulty manifest', () => {
  it.each(readdirSync(FIXTURES))('%s', async (name) => {
    const path = join(FIXTURES, name);
    const issues = await issuesOf(loadManifest({ path, env: ENV, home: '/home/me', files: systemFiles }));
    for (const file of filesOf(name)) {
      const found = issues
        .filter((issue) => issue.file === file)
        .map((issue) => issueText(issue).replaceAll(`${FIXTURES}/`, ''));
      expect(found).toEqual(told(readFileSync(file, 'utf8')));
    }
    expect(issues.map(({ file }) => file).every((file) => filesOf(name).includes(file))).toBe(true);
  });
});
