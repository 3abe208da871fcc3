/** A program in our place: how it ends, and which signals are passed on. */
import { describe, expect, it } from 'vitest';
import { isInForeground, obstacleTo, startProgram } from '../../../src/io/program.ts';

const { env } = process;

describe('ends as a shell tells it', () => {
  it.each([
    [['true'], { code: 0 }],
    [['sh', '-c', 'exit 42'], { code: 42 }],
    [['sh', '-c', 'kill -9 $$'], { code: 137, signal: 'SIGKILL' }],
    [['/nonexistent/program'], { code: 127, notRun: 'ENOENT' }],
    [['/etc/passwd'], { code: 126, notRun: 'EACCES' }],
    [['echo', 'x'.repeat(200_000)], { code: 126, notRun: 'E2BIG' }],
  ] as const)('%j', async (argv, end) => {
    expect(await startProgram(argv, env).ended).toEqual(end);
  });
});

it('hears what it is told, and nothing once it has ended', async () => {
  const program = startProgram(['sleep', '60'], env);
  program.tell('SIGTERM');
  expect(await program.ended).toEqual({ code: 143, signal: 'SIGTERM' });
  program.tell('SIGTERM');
});

it('gets its environment', async () => {
  const program = startProgram(['sh', '-c', 'test "$GPUMOD_MODE" = rag'], { ...env, GPUMOD_MODE: 'rag' });
  expect(await program.ended).toEqual({ code: 0 });
});

it.each([
  ['true', undefined],
  ['no-such-program-here', 127],
  ['/nonexistent/program', 127],
  ['/etc/passwd', 126],
])('%s is known beforehand to end with %s', (program, code) => expect(obstacleTo(program, env)?.code).toBe(code));

it.each([
  ['4711 (node) R 100 4711 100 34816 4711 4194304', true],
  ['4711 (a) b (c) R 100 4700 100 34816 4711 4194304', false],
  ['4711 (node) R 1 4711 4711 0 -1 4194304', false],
  ['', false],
])('Ctrl-C reaches %j: %s', (stat, expected) => expect(isInForeground(stat)).toBe(expected));
