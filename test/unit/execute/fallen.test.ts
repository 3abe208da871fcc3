/** Which lines of a fallen unit's journal are read, and what is made of them. */
import { expect, it } from 'vitest';
import { lastWords } from '../../../src/execute/fallen.ts';
import type { Host } from '../../../src/execute/host.ts';
import { manifest, vllm } from '../../fakes/build.ts';
import { world } from '../../fakes/world.ts';

const RUN = '0123456789abcdef0123456789abcdef';
const TIRED = ['chat.service: Start request repeated too quickly.'];
const service = vllm('chat');

/** Of the last run, and of all runs. */
async function read(last: readonly string[], all: readonly string[], result: string) {
  const asked: unknown[] = [];
  const host: Host = {
    ...world(manifest([service], []), {}).host,
    journal: async () => ({
      async tail(unit, { lines, invocationId }) {
        asked.push([unit, lines, invocationId]);
        return invocationId === undefined ? all : last;
      },
    }),
  };
  const unit = { unit: 'chat.service', load: 'loaded', active: 'failed', sub: 'failed', result, invocationId: RUN };
  const { lines, cause } = await lastWords(host, service, unit, new AbortController().signal);
  return { asked, lines, cause: cause?.code };
}

it('reads the run that ended, far beyond what is shown', async () => {
  const lines = ['RuntimeError: No CUDA GPUs are available', ...Array(300).fill('  in run')];
  const { asked, cause } = await read(lines, [], 'exit-code');
  expect(asked).toEqual([['chat.service', 400, RUN]]);
  expect(cause).toBe('no-device');
});

it('of a run that did not even begin looks at those before, and shows its own lines', async () => {
  const before = ['vllm: error: unrecognized arguments: --modl x', ...TIRED];
  const { lines, cause } = await read(TIRED, before, 'start-limit-hit');
  expect(lines).toEqual(TIRED);
  expect(cause).toBe('bad-flag');
});

it('says that it failed too often when nothing else is known', async () => {
  expect((await read(TIRED, ['something', ...TIRED], 'start-limit-hit')).cause).toBe('start-limit');
});
