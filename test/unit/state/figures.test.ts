import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openPrivateFolder } from '../../../src/io/private-folder.ts';
import { type Figures, openFigures } from '../../../src/state/figures.ts';

const privately = (path: string) => openPrivateFolder(path, process.geteuid?.() ?? 0);
let dir: string;
let figures: Figures;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gpumod-figures-'));
  figures = openFigures(privately(dir));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const wake = (value: number) => ({ measure: 'wake-1-seconds', value }) as const;
const awake = { measure: 'awake-bytes', value: 7e9 } as const;

it('keeps what it is given, for each service', async () => {
  expect(await figures.read('chat')).toBeUndefined();
  await figures.add('chat', [wake(2), awake], '0.24.0');
  await figures.add('chat', [wake(3)]);
  await figures.add('chat', []);
  const kept = { version: '0.24.0', samples: { 'wake-1-seconds': [2, 3], 'awake-bytes': [7e9] } };
  expect(await openFigures(privately(dir)).read('chat')).toEqual(kept);
  expect(await figures.read('embed')).toBeUndefined();
});

it('loses nothing when several come at once', async () => {
  await Promise.all([1, 2, 3, 4, 5].map((value) => figures.add('chat', [wake(value)])));
  expect((await figures.read('chat'))?.samples['wake-1-seconds']).toEqual([1, 2, 3, 4, 5]);
});

it.each([
  ['nothing', ''],
  ['half a document', '{"samples": {"wake-1-sec'],
  ['something else', '[]'],
  ['no samples', '{"version": "1"}'],
])('%s is nothing known, and is written over', async (_, text) => {
  await figures.add('chat', [wake(1)]);
  await writeFile(join(dir, 'figures/chat.json'), text);
  expect(await figures.read('chat')).toBeUndefined();
  await figures.add('chat', [wake(2)]);
  expect(await figures.read('chat')).toEqual({ samples: { 'wake-1-seconds': [2] } });
});

it('takes of a damaged file what it understands', async () => {
  await figures.add('chat', [wake(1)]);
  const text = '{"version": 7, "samples": {"wake-1-seconds": [1, "x"], "awake-bytes": [7e9], "other": [1]}}';
  await writeFile(join(dir, 'figures/chat.json'), text);
  expect(await figures.read('chat')).toEqual({ samples: { 'awake-bytes': [7e9] } });
});
