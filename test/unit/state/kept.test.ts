/** The journal of a switch and the history of switches, on a real disk: kept whole, told truly, and never needed. */
import { appendFile, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type HistoryEntry,
  progressOf,
  RECORD_VERSION,
  type RecordedStep,
  type Underway,
} from '../../../src/core/record.ts';
import { openPrivateFolder } from '../../../src/io/private-folder.ts';
import { systemProcesses } from '../../../src/io/processes.ts';
import { openHistory } from '../../../src/state/history.ts';
import { openSwitchJournal } from '../../../src/state/switch-journal.ts';

const privately = (path: string) => openPrivateFolder(path, process.geteuid?.() ?? 0);
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(`${tmpdir()}/kept-`);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const step = (id: string, outcome: RecordedStep['outcome']): RecordedStep => ({
  id,
  kind: 'start',
  service: id,
  gpus: [0],
  outcome,
  plannedSeconds: 3,
});
const entry: Omit<Underway, 'by'> = {
  version: RECORD_VERSION,
  id: 'aaa',
  command: 'mode switch rag',
  target: 'rag',
  isMode: true,
  from: 'code',
  beganMs: 5,
  before: { chat: { state: 'awake' } },
  steps: [step('a', 'done'), step('b', 'begun'), step('c', 'planned')],
  phase: 'switch',
};
const past = (id: string): HistoryEntry => {
  const { phase: _, ...record } = entry;
  return { ...record, id, end: 'reached', plannedSeconds: 3 };
};

describe('the journal', () => {
  const open = (pid = process.pid) =>
    openSwitchJournal({ folder: privately(`${dir}/state`), processes: systemProcesses, nowMs: Date.now, pid });

  it('tells what is at work, and how far it is', async () => {
    await open().write(entry);
    const found = await open().read();
    expect(found).toMatchObject({ entry, isAtWork: true });
    expect(progressOf(entry)).toEqual({ step: 2, steps: 3 });
    expect((await stat(`${dir}/state/switch.json`)).mode & 0o777).toBe(0o600);
    expect((await stat(`${dir}/state`)).mode & 0o777).toBe(0o700);
  });

  it('tells that its process is gone', async () => {
    await open(2 ** 22 + 1).write(entry);
    expect(await open().read()).toMatchObject({ isAtWork: false });
  });

  it('tells another process of the same number from it', async () => {
    await open().write(entry);
    const path = `${dir}/state/switch.json`;
    await writeFile(path, (await readFile(path, 'utf8')).replace(/("life":"[^"]*)"/, '$11"'));
    expect(await open().read()).toMatchObject({ isAtWork: false });
  });

  it('is empty when the switch is over, and can be cleared twice', async () => {
    await open().write(entry);
    await open().clear();
    await open().clear();
    expect(await open().read()).toBeUndefined();
  });

  it.each(['', '{', 'null', '[]', '{"version":1}', '\u0000', `{"version":${RECORD_VERSION + 1}}`])(
    'holds nothing when it holds %j',
    async (text) => {
      await open().write(entry);
      await writeFile(`${dir}/state/switch.json`, text);
      expect(await open().read()).toBeUndefined();
    },
  );

  it('is not believed when it is a link', async () => {
    await open().write(entry);
    await writeFile(`${dir}/other.json`, await readFile(`${dir}/state/switch.json`));
    await open().clear();
    await symlink(`${dir}/other.json`, `${dir}/state/switch.json`);
    expect(await open().read()).toBeUndefined();
  });
});

describe('the history', () => {
  const open = () => openHistory(privately(dir));
  const ids = async () => (await open().read()).map(({ id }) => id);

  it('keeps what is over, oldest first', async () => {
    expect(await ids()).toEqual([]);
    await open().append(past('a'));
    await open().append(past('b'));
    expect(await ids()).toEqual(['a', 'b']);
    expect((await stat(`${dir}/history.jsonl`)).mode & 0o777).toBe(0o600);
  });

  it('tells the last from the end of the file alone, however long it is', async () => {
    expect(await open().last()).toBeUndefined();
    await open().append(past('a'));
    await open().append({ ...past('b'), command: 'x'.repeat(300_000) });
    expect((await open().last())?.id).toBe('b');
    await appendFile(`${dir}/history.jsonl`, JSON.stringify(past('c')).slice(0, 40));
    expect((await open().last())?.id).toBe('b');
    await open().append(past('d'));
    const asked: number[] = [];
    const unread = async () => {
      throw new Error('the whole file was read');
    };
    const tail = (name: string, bytes: number) => {
      asked.push(bytes);
      return privately(dir).tail(name, bytes);
    };
    expect((await openHistory({ ...privately(dir), read: unread, tail }).last())?.id).toBe('d');
    expect(asked).toEqual([64 * 1024]);
  });

  it('loses a line that was cut short, and no other', async () => {
    await open().append(past('a'));
    await appendFile(`${dir}/history.jsonl`, JSON.stringify(past('b')).slice(0, 40));
    await open().append(past('c'));
    await appendFile(`${dir}/history.jsonl`, 'null\n{}\n\n');
    await open().append(past('d'));
    expect(await ids()).toEqual(['a', 'c', 'd']);
  });

  it('drops its older half when it grows too long', async () => {
    const long = { ...past('x'), command: 'x'.repeat(900_000) };
    for (let i = 0; i < 10; i++) await open().append({ ...long, id: `i${i}` });
    expect((await ids()).at(-1)).toBe('i9');
    expect((await ids()).length).toBeLessThan(10);
  });

  it('does not follow a link', async () => {
    await writeFile(`${dir}/precious`, 'precious');
    await symlink(`${dir}/precious`, `${dir}/history.jsonl`);
    await expect(open().append(past('a'))).rejects.toThrow();
    expect(await readFile(`${dir}/precious`, 'utf8')).toBe('precious');
  });
});
