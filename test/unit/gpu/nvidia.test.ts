import { describe, expect, it } from 'vitest';
import { openNvidia, parseCards } from '../../../src/gpu/nvidia.ts';
import { systemClock } from '../../../src/io/clock.ts';
import type { Run, RunResult } from '../../../src/io/run.ts';

const MIB = 2 ** 20;
const signal = () => new AbortController().signal;
const answering = (result: Partial<RunResult>): Run => ({
  run: async () => ({ code: 0, stdout: '', stderr: '', ...result }),
});
const failing = (error: unknown): Run => ({ run: () => Promise.reject(error) });
const verdict = async (run: Run) => {
  const reading = await openNvidia(run, systemClock).read(signal());
  return reading.kind === 'measured' ? reading.gpus.length : reading.why.code;
};

describe('the answer of nvidia-smi', () => {
  it('two cards, MiB, a comma in a name', () => {
    const text =
      '0, GPU-4c1f, NVIDIA A100-SXM4-80GB, 81920, 41234, 40686\n1, GPU-9e00, Card, the second, 24576, 0, 24576\n';
    expect(parseCards(text)).toEqual({
      kind: 'measured',
      gpus: [
        {
          index: 0,
          uuid: 'GPU-4c1f',
          name: 'NVIDIA A100-SXM4-80GB',
          totalBytes: 81920 * MIB,
          usedBytes: 41234 * MIB,
          freeBytes: 40686 * MIB,
        },
        {
          index: 1,
          uuid: 'GPU-9e00',
          name: 'Card, the second',
          totalBytes: 24576 * MIB,
          usedBytes: 0,
          freeBytes: 24576 * MIB,
        },
      ],
    });
  });
  it.each(['[N/A]', 'N/A', '[Not Supported]', '[Unknown Error]', '[Insufficient Permissions]'])(
    '%s is unknown, not 0',
    (cell) =>
      expect(parseCards(`0, GPU-1, NVIDIA GB10, ${cell}, ${cell}, ${cell}`)).toMatchObject({
        gpus: [{ totalBytes: null, usedBytes: null, freeBytes: null }],
      }),
  );
  it.each(['', 'No devices were found', '<html>', 'x, y, 1, 2, 3, z'])('%j is not understood', (text) =>
    expect(parseCards(text)).toMatchObject({ kind: 'unmeasured', why: { code: 'not-understood' } }),
  );
});

describe('the tool itself', () => {
  it('missing', async () =>
    expect(await verdict(failing(Object.assign(new Error('spawn'), { code: 'ENOENT' })))).toBe('no-tool'));
  it('failing', async () =>
    expect(
      await verdict(
        answering({ code: 9, stdout: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver." }),
      ),
    ).toBe('tool-failed'));
  it('well', async () => expect(await verdict(answering({ stdout: '0, GPU-1, x, 1, 1, 0' }))).toBe(1));
  it('an abort of the caller is the caller’s', async () => {
    const gone = AbortSignal.abort(new Error('enough'));
    await expect(openNvidia(failing(new Error('killed')), systemClock).read(gone)).rejects.toThrow('enough');
  });
});
