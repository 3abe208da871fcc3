/** Command lines as people write them: which engine, which flags, and what they may hide. */
import { describe, expect, it } from 'vitest';
import { execStart, flag, startLineOf, withFlag } from '../../../src/core/start-line.ts';

const vllm = (line: string) => startLineOf('vllm', line.split(' '));

describe('a command line', () => {
  it.each([
    ['/opt/vllm serve m --port 1', true, true, false],
    ['/x/python -m vllm.entrypoints.openai.api_server --port 1', true, true, false],
    ['/usr/bin/env A=1 vllm serve m', true, true, false],
    ['/opt/vllm serve m $ARGS', false, true, false],
    ['/opt/vllm serve m --config x.yaml', false, true, false],
    ['/usr/bin/docker run vllm/vllm-openai:v0.24.0 --model m', true, false, true],
  ])('%s: whole %s, plain %s, contained %s', (line, isWhole, isPlain, isContained) => {
    expect(vllm(line)).toMatchObject({ isWhole, isPlain, isContained });
  });

  it('in a shell is taken apart', () => {
    const line = startLineOf('vllm', ['/bin/bash', '-lc', "VLLM_SERVER_DEV_MODE=1 vllm serve 'a b' --port 1"]);
    expect(line).toMatchObject({ args: ['serve', 'a b', '--port', '1'], isPlain: false });
    expect(line?.environment).toEqual({ VLLM_SERVER_DEV_MODE: '1' });
  });

  it.each([
    '/opt/server --port 1',
    '/opt/my-vllm-wrapper',
    '/opt/vllm-env/bin/python server.py',
    '/usr/bin/node sim.js vllm --port 1',
    '/home/vllm/run.sh',
  ])('%s is not known', (line) => expect(vllm(line)).toBeUndefined());
});

describe('a flag', () => {
  const args = ['--a', '1', '--b=2', '--on', '--off', '--c', '-1', '--a', '3', '--x_y'];
  it.each([
    ['--a', '3'],
    ['--b', '2'],
    ['--on', ''],
    ['--c', '-1'],
    ['--x-y', ''],
    ['--none', undefined],
  ])('%s is %s', (name, value) => expect(flag(args, name)).toBe(value));

  it('is set anew where it stands, or at the end', () => {
    expect(withFlag(['p', '--a', '1', '-b'], '--a', '2')).toEqual(['p', '--a', '2', '-b']);
    expect(withFlag(['p', '--a=1', '-b'], '--a', '2')).toEqual(['p', '--a', '2', '-b']);
    expect(withFlag(['p'], '--on')).toEqual(['p', '--on']);
  });
});

it('is written as a unit file has it, unless it may hold a secret', () => {
  expect(execStart(['/x/vllm', 'a b', '{"c": "50%"}', '$A'])).toBe(
    'ExecStart=/x/vllm "a b" "{\\"c\\": \\"50%%\\"}" $A',
  );
  for (const word of ['--api-key', 'HF_TOKEN=x', 'http://me:pw@host/', 'a\nb'])
    expect(execStart(['/x/vllm', word])).toBeUndefined();
});
