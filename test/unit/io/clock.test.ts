import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/io/clock.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('a deadline', () => {
  it('comes, however often the garbage is collected and whoever lets go of it', async () => {
    const late = await new Promise<unknown>((resolve, reject) => {
      const give = setTimeout(() => reject(new Error('it never came')), 10_000);
      const collect = setInterval(collectGarbage, 5);
      const listen = (signal: AbortSignal) =>
        signal.addEventListener('abort', () => {
          clearTimeout(give);
          clearInterval(collect);
          resolve(signal.reason);
        });
      listen(systemClock.deadline(100, AbortSignal.any([new AbortController().signal])));
    });
    expect(late).toMatchObject({ name: 'TimeoutError' });
  });
  it('is the caller’s abort when that comes first', () => {
    const control = new AbortController();
    const signal = systemClock.deadline(60_000, control.signal);
    const reason = new Error('enough');
    control.abort(reason);
    expect(signal.reason).toBe(reason);
    expect(systemClock.deadline(60_000, control.signal).reason).toBe(reason);
  });
});
