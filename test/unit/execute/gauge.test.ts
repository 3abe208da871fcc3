import { expect, it } from 'vitest';
import type { GpuFacts, GpuReading } from '../../../src/core/facts.ts';
import type { Step } from '../../../src/core/plan.ts';
import { openGauge } from '../../../src/execute/gauge.ts';
import { fastClock } from '../../fakes/driver-parts.ts';

const reading = (usedBytes: number, with_: Partial<GpuFacts> = {}): GpuReading => ({
  kind: 'measured',
  gpus: [{ index: 0, name: 'card', uuid: 'GPU-0', totalBytes: 100, usedBytes, freeBytes: 100 - usedBytes, ...with_ }],
});
const step = (deltaBytes: number): Step => ({
  id: 's1',
  kind: deltaBytes < 0 ? 'stop' : 'start',
  service: 'chat',
  gpus: [0],
  after: [],
  because: { code: 'asked', from: 'awake' },
  deltaBytes,
  startSeconds: 0,
  endSeconds: 0,
  usedBytesAfter: {},
});
/** What one step alone moved, from 50 bytes to `usedBytes`. */
const moved = async (deltaBytes: number, usedBytes: number, with_: Partial<GpuFacts> = {}) => {
  const telemetry = { read: async () => reading(usedBytes, with_) };
  const gauge = openGauge({ telemetry, clock: fastClock() }, { gpu: reading(50, with_), atMs: 0 });
  const one = step(deltaBytes);
  gauge.enter(one);
  return gauge.moved(await gauge.fresh(new AbortController().signal), one);
};

it('tells what a step has moved', async () => {
  const alone = { gpu: 0, alone: true, unsettled: false, hiddenBytes: 0 };
  expect(await moved(-40, 20)).toEqual([{ ...alone, plannedBytes: -40, measuredBytes: -30 }]);
  expect(await moved(40, 90)).toEqual([{ ...alone, plannedBytes: 40, measuredBytes: 40 }]);
});

it('says nothing of a release where the system keeps the pages, and all the same of a take', async () => {
  expect(await moved(-40, 50, { releaseUntold: true })).toEqual([]);
  expect(await moved(40, 50, { releaseUntold: true })).toMatchObject([{ measuredBytes: 0 }]);
});
