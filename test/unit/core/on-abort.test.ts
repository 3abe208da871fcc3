/** Many waiters on one signal. */
import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { onAbort } from '../../../src/core/on-abort.ts';

it('is one listener for all, gone with the last', () => {
  const abort = new AbortController();
  const called: number[] = [];
  const forget = Array.from({ length: 50 }, (_, index) => onAbort(abort.signal, () => called.push(index)));
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
  for (const stop of forget.slice(0, 48)) stop();
  abort.abort();
  expect(called).toEqual([48, 49]);
  for (const stop of forget) stop();
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
});

it('listens anew after all have gone', () => {
  const abort = new AbortController();
  onAbort(abort.signal, () => expect.unreachable())();
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  let called = 0;
  onAbort(abort.signal, () => called++);
  abort.abort();
  expect(called).toBe(1);
});
