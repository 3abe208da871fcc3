/** What a switch writes down of itself, before it acts and when it is over. */
import { describe, expect, it } from 'vitest';
import { switchMode } from '../../src/app/switch-mode.ts';
import type { Event } from '../../src/core/report.ts';
import { FileFailure } from '../../src/io/files.ts';
import { nothingKept, stateInMemory } from '../../src/state/in-memory.ts';
import { manifest, mode, vllm } from '../fakes/build.ts';
import { type Trouble, world } from '../fakes/world.ts';

const box = manifest(
  [vllm('chat', { idle: 'sleep' }), vllm('embed')],
  [mode('talk', ['chat']), mode('find', ['embed'])],
);
const options = { cold: false, force: false, onFailure: 'restore', stop: new AbortController().signal } as const;

async function switched(troubles: Readonly<Record<string, Trouble>> = {}, full = false) {
  const kept = nothingKept();
  const here = world(box, { chat: 'awake', embed: 'stopped' }, troubles, 9 * 2 ** 30);
  const state = stateInMemory(kept);
  const acts: string[] = [];
  const events: Event[] = [];
  const refuse = async () => {
    throw new FileFailure('failed', 'ENOSPC: no space left on device');
  };
  const host = {
    ...here.host,
    journal: async () => ({ tail: async () => ["args: {'api_key': ['s3cr3t-key']}"] }),
    history: full ? { ...state.history, append: refuse } : state.history,
    switchJournal: {
      ...state.switchJournal,
      write: full
        ? refuse
        : async (entry: Parameters<typeof state.switchJournal.write>[0]) => {
            acts.push(
              `${entry.phase} ${entry.steps.map(({ kind, outcome }) => `${kind}:${outcome}`).join(' ')} | ${here.log.join(', ')}`,
            );
            await state.switchJournal.write(entry);
          },
    },
  };
  const result = await switchMode(box, 'find', options, host, (event) => events.push(event));
  return { result, kept, acts, events };
}

it('stands on the disk before each step acts', async () => {
  const { acts } = await switched();
  expect(acts).toEqual(['switch sleep:begun start:planned | ', 'switch sleep:done start:begun | sleep1 chat']);
});

it('is told of only when it stands there: who reads of a step may rely on the journal', async () => {
  const kept = nothingKept();
  const here = world(box, { chat: 'awake' }, {}, 9 * 2 ** 30);
  const written: number[] = [];
  await switchMode(box, 'find', options, { ...here.host, ...stateInMemory(kept) }, ({ type }) => {
    if (type === 'step-started') written.push(kept.journal.length);
  });
  expect(written).toEqual([1, 2]);
});

it('is history when it is over: from where, to where, each step, and what holds then', async () => {
  const { kept, result } = await switched();
  expect(kept.history).toHaveLength(1);
  expect(kept.history[0]).toMatchObject({
    command: 'mode switch find',
    target: 'find',
    isMode: true,
    from: 'talk',
    end: 'reached',
    before: { chat: { state: 'awake' }, embed: { state: 'stopped' } },
    after: { chat: { state: 'sleeping', level: 1 }, embed: { state: 'awake' } },
    durationSeconds: result.durationSeconds,
    steps: [
      { kind: 'sleep', service: 'chat', outcome: 'done', level: 1 },
      { kind: 'start', service: 'embed', outcome: 'done' },
    ],
  });
});

it('tells the failure, and the way back as a part of its own', async () => {
  const { kept, acts } = await switched({ embed: { diesAtStart: true } });
  expect(acts.map((act) => act.split(' | ')[0])).toEqual([
    'switch sleep:begun start:planned',
    'switch sleep:done start:begun',
    'restore sleep:done start:failed wake:begun',
  ]);
  expect(kept.history[0]).toMatchObject({
    end: 'restored',
    error: { code: 'unit-failed' },
    steps: [
      { outcome: 'done' },
      { outcome: 'failed', error: { code: 'unit-failed' } },
      { kind: 'wake', restore: true, outcome: 'done' },
    ],
  });
});

describe('a full disk', () => {
  it('is told once, and stops nothing', async () => {
    const { result, events } = await switched({}, true);
    expect(result.end).toBe('reached');
    expect(events.filter(({ type }) => type === 'unrecorded')).toEqual([
      { type: 'unrecorded', reason: 'ENOSPC: no space left on device' },
    ]);
  });
});

it('writes nothing of a switch that has nothing to do', async () => {
  const kept = nothingKept();
  const here = world(box, { embed: 'awake' });
  const result = await switchMode(box, 'find', options, { ...here.host, ...stateInMemory(kept) }, () => {});
  expect([result.end, kept.history.length, kept.journal.length]).toEqual(['unchanged', 0, 0]);
});

it('keeps the calls and the memory of each card, and no key that a journal shows', async () => {
  const { kept } = await switched({ embed: { diesAtStart: true } });
  const [entry] = kept.history;
  expect(entry?.calls).toMatchObject([{ service: 'embed', call: 'StartUnit embed.service', answer: 'failed' }]);
  expect(entry?.totalBytes).toEqual({ 0: 9 * 2 ** 30 });
  expect(entry?.memory?.map(({ usedBytes }) => usedBytes[0])).toEqual([5, 1, 5].map((gib) => gib * 2 ** 30));
  expect(JSON.stringify(entry)).toContain("'api_key': ['***']");
  expect(JSON.stringify(entry)).not.toContain('s3cr3t');
});
