/** What is kept of a switch's calls and memory: little, and what tells most. */
import { describe, expect, it } from 'vitest';
import { openTape } from '../../../src/app/tape.ts';
import type { Heard } from '../../../src/core/calls.ts';
import type { GpuReading } from '../../../src/core/facts.ts';
import { manifest, vllm } from '../../fakes/build.ts';

const MIB = 2 ** 20;
const box = manifest([vllm('chat')], []);
const tape = () => openTape(box, 1000);
const heard = (call: string, beganMs: number, more: Partial<Heard> = {}): Heard => ({
  beganMs,
  endedMs: beganMs + 100,
  service: 'chat',
  call,
  answer: '200',
  ...more,
});
const reading = (usedBytes: number | null): GpuReading => ({
  kind: 'measured',
  gpus: [{ index: 0, name: 'card', uuid: 'u', totalBytes: null, usedBytes, freeBytes: null }],
});

describe('calls', () => {
  it('are of the service, counted from the beginning of the switch', () => {
    const one = tape();
    one.call(heard('StartUnit chat.service', 1500, { service: undefined as never, unit: 'chat.service' }));
    expect(one.calls).toEqual([
      { atSeconds: 0.5, seconds: 0.1, service: 'chat', call: 'StartUnit chat.service', answer: '200' },
    ]);
  });

  it('that are tried again are one line', () => {
    const one = tape();
    for (const ms of [1000, 1200, 1400]) one.call(heard('POST /x', ms));
    one.call(heard('POST /x', 1600, { answer: '500' }));
    expect(one.calls).toMatchObject([{ atSeconds: 0, seconds: 0.5, times: 3 }, { answer: '500' }]);
  });

  it('keep their beginning and their end when there are too many', () => {
    const one = tape();
    for (let i = 0; i < 1000; i += 1) one.call(heard(`POST /${i}`, 1000 + i));
    const names = one.calls.map(({ call }) => call);
    expect([names.length, names[0], names.at(-1)]).toEqual([200, 'POST /0', 'POST /999']);
  });
});

describe('samples of memory', () => {
  const times = (one: ReturnType<typeof tape>) => one.memory.map(({ atSeconds }) => atSeconds);

  it('are left out when nothing moved just now', () => {
    const one = tape();
    one.sample(0, reading(1000 * MIB));
    one.sample(0.5, reading(1005 * MIB));
    one.sample(0.6, reading(1100 * MIB));
    one.sample(0.7, reading(null));
    one.sample(0.8, reading(null));
    one.sample(2, reading(null));
    one.sample(3, { kind: 'unmeasured', why: { code: 'no-tool' } });
    expect(times(one)).toEqual([0, 0.6, 0.7, 2]);
  });

  it('are at most 500, from the first to the last', () => {
    const one = tape();
    for (let i = 0; i < 3000; i += 1) one.sample(i, reading(i * MIB));
    expect(one.memory.length).toBeLessThanOrEqual(501);
    expect([times(one)[0], times(one).at(-1)]).toEqual([0, 2999]);
  });
});
