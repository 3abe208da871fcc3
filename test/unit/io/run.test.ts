/** Running a program: what comes back, what it inherits, and that every way of ending settles. */
import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openRun } from '../../../src/io/run.ts';

const PATH = process.env['PATH'];
const run = openRun({ PATH });
const never = new AbortController().signal;
const sh = (script: string, ...args: string[]) => run.run(['sh', '-c', script, 'sh', ...args], { signal: never });

describe('a program that ends', () => {
  it.each([
    ['exit 0', 0],
    ['exit 3', 3],
    ['kill -KILL $$', null],
  ])('%s gives code %s', async (script, code) => {
    expect((await sh(script)).code).toBe(code);
  });

  it('keeps the two streams apart, and text whole across chunks', async () => {
    const result = await sh(`printf 'out '; printf 'err' >&2; printf '\\303'; sleep 0.05; printf '\\244'`);
    expect(result).toEqual({ code: 0, stdout: 'out ä', stderr: 'err' });
  });

  it('takes arguments as they are: no shell', async () => {
    const { stdout } = await run.run(['printf', '%s|', '$HOME', 'a b', '; exit 9', '*'], { signal: never });
    expect(stdout).toBe('$HOME|a b|; exit 9|*|');
  });

  it('has nothing to read', async () => {
    expect(await run.run(['cat'], { signal: never })).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('inherits the given environment and English messages, nothing else', async () => {
    process.env['GPUMOD_TEST_LEAK'] = 'leaked';
    const own = openRun({ PATH, GIVEN: 'yes', LC_ALL: 'de_DE.UTF-8', UNSET: undefined });
    const { stdout } = await own.run(['env'], { signal: never });
    delete process.env['GPUMOD_TEST_LEAK'];
    const names = stdout.split('\n').filter((line) => /^(GIVEN|LC_ALL|UNSET|GPUMOD_TEST_LEAK)=/.test(line));
    expect(names.sort()).toEqual(['GIVEN=yes', 'LC_ALL=C']);
  });

  it('gives up to maxBytes of a long answer, to its end', async () => {
    const script = 'yes | head -c 3000000; echo end >&2';
    const result = await run.run(['sh', '-c', script], { signal: never, maxBytes: 100_000 });
    expect(result.stdout.length).toBeGreaterThanOrEqual(100_000);
    expect(result.stdout.length).toBeLessThan(1_000_000); // a chunk more, not the rest
    expect(result.stderr).toBe('end\n');
  });
});

describe('a program that does not end well', () => {
  it('missing: rejects with the spawn error', async () => {
    await expect(run.run(['gpumod-no-such-program'], { signal: never })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('not executable: rejects with the spawn error', async () => {
    await expect(run.run(['/etc/passwd'], { signal: never })).rejects.toMatchObject({ code: 'EACCES' });
  });

  it('aborted before: is not started', async () => {
    const reason = new Error('before');
    await expect(run.run(['gpumod-no-such-program'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('aborted: rejects with the reason and is killed, even if it ignores SIGTERM', async () => {
    await using tie = await lifeline();
    const abort = new AbortController();
    const reason = new Error('enough');
    const running = run.run([process.execPath, '-e', STUBBORN, tie.port], { signal: abort.signal });
    await tie.connected;
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
    await tie.closed;
  });

  it('aborted while a grandchild holds its output: rejects all the same', async () => {
    await using tie = await lifeline();
    const abort = new AbortController();
    const script = `"$0" -e "$1" "$2" & exit 0`;
    const running = run.run(['sh', '-c', script, process.execPath, MORTAL, tie.port], { signal: abort.signal });
    await tie.connected;
    abort.abort('enough');
    await expect(running).rejects.toBe('enough');
  });

  it('leaves no listener on the signal behind', async () => {
    const { signal } = new AbortController();
    await run.run(['true'], { signal });
    await run.run(['gpumod-no-such-program'], { signal }).catch(() => undefined);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

/** Programs that hold a connection to us for as long as they live; the second ends with it. */
const CONNECT = `require('net').connect(process.argv[1], '127.0.0.1')`;
const STUBBORN = `process.on('SIGTERM', () => {}); ${CONNECT}`;
const MORTAL = `${CONNECT}.on('close', () => process.exit()).resume()`;

/** A loopback port that tells when a process has connected, and when it is gone. */
async function lifeline() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const connected = once(server, 'connection').then(([socket]) => socket.on('error', () => undefined).resume());
  return {
    port: String(typeof address === 'object' ? address?.port : ''),
    connected,
    closed: connected.then((socket) => once(socket, 'close')),
    async [Symbol.asyncDispose]() {
      (await connected).destroy();
      server.close();
    },
  };
}
