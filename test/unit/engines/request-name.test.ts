import { describe, expect, it } from 'vitest';
import { hiddenIn, pathOf, requestName } from '../../../src/engines/request-name.ts';

const KEY = 'sk4f9a0c3e7b21d84f9a0c3e7b21d8';

describe('the name of a request', () => {
  it.each([
    ['/sleep?level=1', 'POST /sleep?level=1'],
    ['/wake_up?tags=kv_cache&mode=keep', 'POST /wake_up?tags=kv_cache&mode=keep'],
    ['/sleep?level=1&token=abcdef', 'POST /sleep?level=1&…'],
    ['/sleep?level=<b>', 'POST /sleep?…'],
    [`/hook/${KEY}/sleep`, 'POST /hook/…/sleep'],
    ['/sleep?', 'POST /sleep'],
    ['/sdapi/v1/unload-checkpoint-of-the-model', 'POST /sdapi/v1/unload-checkpoint-of-the-model'],
  ])('%s is %s', (path, name) => expect(requestName('POST', path)).toBe(name));

  it('and what it leaves out are the same', () => {
    expect(hiddenIn(`/hook/${KEY}/x?level=1&key=a%20b`)).toEqual([KEY, 'a b', 'a%20b']);
  });
});

it.each([
  ['http://127.0.0.1:8000/sleep?level=1', '/sleep?level=1'],
  ['http://127.0.0.1:8000', '/'],
  ['https://[::1]:8000/a/b', '/a/b'],
  ['http://unix:/run/x.sock:/sleep', '/sleep'],
])('the path of %s is %s', (url, path) => expect(pathOf(url)).toBe(path));
