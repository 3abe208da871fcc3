/** Command lines as units have them: what is seen of the engine's arguments, and how one more is written. */
import { describe, expect, it } from 'vitest';
import { commandLineOf, execStart, withArgument } from '../../../src/app/checks/command-line.ts';

const vllm = (line: string) => commandLineOf('vllm', line.split(' '));

describe('a command line', () => {
  it.each([
    ['/opt/bin/vllm serve m --port 1', true, true, false],
    ['/x/python -m vllm.entrypoints.openai.api_server --port 1', true, true, false],
    ['/usr/bin/env A=1 vllm serve m', true, true, false],
    ['/opt/bin/vllm serve m $ARGS', false, true, false],
    ['/opt/bin/vllm serve m --config x.yaml', false, true, false],
    ['/usr/bin/docker run vllm/vllm-openai:v0.24.0 --model m', true, false, true],
  ])('%s: whole %s, plain %s, contained %s', (line, isWhole, isPlain, isContained) => {
    expect(vllm(line)).toMatchObject({ isWhole, isPlain, isContained });
  });

  it('in a shell is taken apart', () => {
    const line = commandLineOf('vllm', ['/bin/bash', '-lc', "VLLM_SERVER_DEV_MODE=1 vllm serve 'a b' --port 1"]);
    expect(line).toMatchObject({ args: ['serve', 'a b', '--port', '1'], isPlain: false });
    expect(line?.environment).toEqual({ VLLM_SERVER_DEV_MODE: '1' });
  });

  it.each([
    '/opt/server --port 1',
    '/opt/my-vllm-wrapper',
    '/opt/vllm-env/bin/python server.py',
    '/usr/bin/node sim.js vllm --port 1',
    '/x/llama-server --port 1',
  ])('%s is not known', (line) => expect(vllm(line)).toBeUndefined());
});

it('gets an argument where it stands, or at the end', () => {
  expect(withArgument(['p', '--a', '1', '-b'], '--a', '2')).toEqual(['p', '--a', '2', '-b']);
  expect(withArgument(['p', '--a_b=1', '-b'], '--a-b', '2')).toEqual(['p', '--a-b', '2', '-b']);
  expect(withArgument(['p'], '--on')).toEqual(['p', '--on']);
});

it('is written as a unit file has it, unless it may hold a secret', () => {
  expect(execStart(['/x/vllm', 'a b', '{"c": "50%"}', '$A', '$$B'])).toBe(
    'ExecStart=/x/vllm "a b" "{\\"c\\": \\"50%%\\"}" "$A" "$$B"',
  );
  for (const word of ['--api-key', 'HF_TOKEN=x', 'http://me:pw@host/', 'a\nb'])
    expect(execStart(['/x/vllm', word])).toBeUndefined();
});
