/** What is remembered of the cards, on a real disk: written when it changes, never in the way, and never believed when damaged. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { observe } from '../../../src/app/observe.ts';
import { sizesAfter } from '../../../src/core/cards.ts';
import type { CardSize, GpuReading } from '../../../src/core/facts.ts';
import { openPrivateFolder, type PrivateFolder } from '../../../src/io/private-folder.ts';
import { type CardSizes, openCardSizes } from '../../../src/state/card-sizes.ts';
import { card, manifest, vllm } from '../../fakes/build.ts';
import { world } from '../../fakes/world.ts';

const uid = process.geteuid?.() ?? 0;
const two: readonly CardSize[] = [
  { index: 0, uuid: 'GPU-0', totalBytes: 24 },
  { index: 1, uuid: '', totalBytes: 80 },
];
let dir: string;
let sizes: CardSizes;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gpumod-cards-'));
  sizes = openCardSizes(openPrivateFolder(dir, uid));
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const again = (as = uid) => openCardSizes(openPrivateFolder(dir, as)).read();

describe('the file', () => {
  it('keeps what it is given for the next command', async () => {
    expect(await sizes.read()).toEqual([]);
    await sizes.write(two);
    expect(await again()).toEqual(two);
    expect((await stat(join(dir, 'cards.json'))).mode & 0o777).toBe(0o600);
    await sizes.write(two.slice(1));
    expect(await again()).toEqual(two.slice(1));
  });

  it.each([
    ['nothing', ''],
    ['half a document', '{"cards": [{"index": 0, "uuid": "GPU-'],
    ['something else', '[1]'],
    ['no object', 'null'],
    ['no list', '{"cards": {"index": 0}}'],
    ['a card that is none', '{"cards": [null]}'],
    ['a size that is none', '{"cards": [{"index": 0, "uuid": "", "totalBytes": "24"}]}'],
    ['no size at all', '{"cards": [{"index": 0, "uuid": "", "totalBytes": 0}]}'],
    ['a negative index', '{"cards": [{"index": -1, "uuid": "", "totalBytes": 24}]}'],
    ['too much', `{"cards": [{"index": 0, "uuid": "${'x'.repeat(70_000)}", "totalBytes": 24}]}`],
  ])('%s is nothing known, and is written over', async (_, text) => {
    await writeFile(join(dir, 'cards.json'), text);
    expect(await sizes.read()).toEqual([]);
    await sizes.write(two);
    expect(await again()).toEqual(two);
  });

  it('believes nothing that another user could have put there', async () => {
    await sizes.write(two);
    expect(await again(uid + 1)).toEqual([]);
    await chmod(join(dir, 'cards.json'), 0o666);
    expect(await again()).toEqual([]);
    await rm(join(dir, 'cards.json'));
    await symlink('/etc/hostname', join(dir, 'cards.json'));
    expect(await again()).toEqual([]);
  });

  it('does not grow without end', async () => {
    await sizes.write(two);
    await sizes.write([{ index: 0, uuid: 'x'.repeat(70_000), totalBytes: 24 }]);
    expect(await again()).toEqual(two);
    expect((await readFile(join(dir, 'cards.json'))).length).toBeLessThan(200);
  });

  it('on a full disk is remembered for this command, and fails nothing', async () => {
    const folder = openPrivateFolder(dir, uid);
    let isFull = true;
    const full: PrivateFolder = {
      ...folder,
      write: (name, text) => (isFull ? Promise.reject(new Error('ENOSPC')) : folder.write(name, text)),
    };
    const here = openCardSizes(full);
    await here.write(two);
    expect(await here.read()).toEqual(two);
    expect(await again()).toEqual([]);
    isFull = false;
    await here.write(two);
    expect(await again()).toEqual(two);
  });

  it('in a folder that can not be made, fails nothing', async () => {
    await writeFile(join(dir, 'file'), '');
    const nowhere = openCardSizes(openPrivateFolder(join(dir, 'file', 'state'), uid));
    await nowhere.write(two);
    expect(await nowhere.read()).toEqual(two);
    await mkdir(join(dir, 'cards.json'));
    await sizes.write(two);
    expect(await again()).toEqual([]);
  });
});

describe('a reading', () => {
  const [first, second] = two as [CardSize, CardSize];
  const telling = (...cards: readonly (Partial<CardSize> | { readonly totalBytes: null })[]): GpuReading => {
    const [any] = (card(1) as Extract<GpuReading, { kind: 'measured' }>).gpus;
    return { kind: 'measured', gpus: cards.map((each, index) => ({ ...any!, index, ...each })) };
  };
  it('that tells the same is nothing new', () => expect(sizesAfter(two, telling(...two))).toBe(two));
  it('that fails is nothing new', () =>
    expect(sizesAfter(two, { kind: 'unmeasured', why: { code: 'tool-silent' } })).toBe(two));
  it('with another size, or another card, writes over', () => {
    expect(sizesAfter(two, telling(first, { ...second, totalBytes: 90 }))).toMatchObject([first, { totalBytes: 90 }]);
    expect(sizesAfter(two, telling({ ...first, uuid: 'GPU-9' }, second))).toMatchObject([{ uuid: 'GPU-9' }, second]);
  });
  it('without a card forgets it', () => expect(sizesAfter(two, telling(first))).toEqual([first]));
  it('that does not tell a size forgets only that of another card', () => {
    expect(sizesAfter(two, telling({ ...first, totalBytes: null } as never, second))).toBe(two);
    expect(sizesAfter(two, telling({ uuid: 'GPU-9', totalBytes: null } as never, second))).toEqual([second]);
  });
});

it('is written only when it has changed, and told only where it is needed', async () => {
  const here = world(manifest([vllm('chat')]), { chat: 'awake' });
  const writes: (readonly CardSize[])[] = [];
  const cardSizes: CardSizes = {
    read: here.host.cardSizes.read,
    write: (all) => {
      writes.push(all);
      return here.host.cardSizes.write(all);
    },
  };
  const look = () => observe(manifest([vllm('chat')]), { ...here.host, cardSizes }, new AbortController().signal);
  const seen = [{ index: 0, uuid: 'GPU-0', totalBytes: 24 * 2 ** 30 }];
  expect((await look()).cardSizes).toBeUndefined();
  await look();
  here.loseTool();
  expect((await look()).cardSizes).toEqual(seen);
  expect(writes).toEqual([seen]);
  here.mendTool(80 * 2 ** 30);
  expect((await look()).cardSizes).toBeUndefined();
  expect(writes.slice(1)).toMatchObject([[{ totalBytes: 80 * 2 ** 30 }]]);
});
