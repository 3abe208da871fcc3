/** The most that a service holds while it comes up is seen while it does. */
import { expect, it } from 'vitest';
import type { GpuReading } from '../../../src/core/facts.ts';
import type { Step } from '../../../src/core/plan.ts';
import type { Context } from '../../../src/execute/context.ts';
import { openGauge } from '../../../src/execute/gauge.ts';
import { stopwatch } from '../../../src/execute/stopwatch.ts';
import { manifest, vllm } from '../../fakes/build.ts';

const UNIT = '/user.slice/user-1000.slice/user@1000.service/app.slice/it.service';

/** The service's processes hold one figure after another, and the last one for ever. */
function machine(told: boolean, ...held: readonly number[]) {
  let reads = 0;
  const reading = (bytes: number): GpuReading => ({
    kind: 'measured',
    gpus: [{ index: 0, name: 'card', uuid: 'GPU-0', totalBytes: 1000, usedBytes: 900, freeBytes: 100 }],
    ...(told ? { processes: [{ gpu: 0, pid: 1, bytes, cgroup: UNIT }] } : {}),
  });
  const { signal } = new AbortController();
  const host = {
    telemetry: { read: async () => reading(held[Math.min(reads++, held.length - 1)] ?? 0) },
    clock: {
      nowMs: () => 0,
      ticksMs: () => 0,
      deadline: () => signal,
      async sleep(_: number, over: AbortSignal) {
        await new Promise(setImmediate);
        over.throwIfAborted();
      },
    },
  };
  const before = { gpu: reading(0), atMs: 0, services: new Map() };
  const gauge = openGauge(host, before);
  const context = { host, manifest: manifest([vllm('it')]), before, gauge, signal } as unknown as Context;
  return { context, reads: () => reads };
}

const step = (kind: Step['kind']) => ({ kind, service: 'it', gpus: [0] }) as unknown as Step;

async function peak(kind: Step['kind'], told: boolean, ...held: readonly number[]) {
  const { context, reads } = machine(told, ...held);
  const watch = stopwatch(context, step(kind));
  let end = () => {};
  const measured = watch.during(
    new Promise<void>((resolve) => {
      end = resolve;
    }),
  );
  for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  end();
  await measured;
  const taken = reads();
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  expect(reads() - taken).toBeLessThanOrEqual(1); // nobody looks any more
  return { bytes: watch.peakBytes(), reads: taken };
}

it('the highest of all samples is the peak of a start or wake', async () => {
  expect((await peak('start', true, 100, 700, 500)).bytes).toBe(700);
  expect((await peak('wake', true, 0, 400)).bytes).toBe(400);
});

it('a release is not watched, nor where the tool does not tell of processes', async () => {
  expect(await peak('sleep', true, 700)).toEqual({ bytes: undefined, reads: 0 });
  expect(await peak('start', false, 700)).toEqual({ bytes: undefined, reads: 0 });
});
