/** What is told of a driver's calls, and that no key is in it: not in the record, nor in the error. */
import { describe, expect, it } from 'vitest';
import { type Heard, openCallLog } from '../../../src/core/calls.ts';
import { isGpumodError } from '../../../src/core/errors.ts';
import type { Service } from '../../../src/core/model.ts';
import { recordedHttp, recordedRun } from '../../../src/engines/on-record.ts';
import { openDriver } from '../../../src/engines/registry.ts';
import { systemClock } from '../../../src/io/clock.ts';
import type { HttpRequest } from '../../../src/io/http.ts';
import type { Run } from '../../../src/io/run.ts';
import { load } from '../manifest/kit.ts';

const KEYS = {
  query: 'query-s3cr3t',
  header: 'header-s3cr3t',
  body: 'body-s3cr3t',
  api: 'api-s3cr3t',
  arg: 'arg-s3cr3t',
};

const MANIFEST = `
version: 1
services:
  asr:
    engine: http
    url: http://127.0.0.1:1
    apiKey: {env: KEY}
    asleep: {path: "/state?token=${KEYS.query}"}
    sleep:
      steps:
        - {exec: [/opt/ctl, --key, ${KEYS.arg}]}
        - {post: "/offload?level=1&token=${KEYS.query}", body: {key: ${KEYS.body}}, headers: {x-key: ${KEYS.header}}}
    wake: {steps: [{post: /load}]}
modes: {talk: {services: [asr]}}
`;

/** What the asleep probe is answered. */
let states = 404;

/** An engine that says back all it was sent, and refuses what would change it. */
async function echoing({ method, url, headers, body }: HttpRequest) {
  const look = url.includes('/state') ? states : 200;
  const status = method === 'GET' ? look : 500;
  return { status, headers: {}, text: `no: ${url} ${JSON.stringify(headers)} ${body ?? ''}` };
}
const RAN: Run = { run: async () => ({ code: 0, stdout: '', stderr: '' }) };

async function slept() {
  const heard: Heard[] = [];
  const log = openCallLog();
  log.listen((call) => heard.push(call));
  let ticks = 0;
  const ear = { log, ticksMs: () => ticks++ };
  const manifest = await load(MANIFEST);
  const service = manifest.services.get('asr') as Service;
  const driver = openDriver('http', {
    http: recordedHttp({ request: echoing }, 'asr', ear),
    run: recordedRun(RAN, 'asr', ear),
    clock: systemClock,
    secret: async () => KEYS.api,
  });
  const { signal } = new AbortController();
  const error = await driver.nap?.sleep(service, 1, { force: false }, signal).catch((thrown: unknown) => thrown);
  states = 500;
  const facts = await driver.probe(service, signal);
  states = 404;
  return { heard, error, facts };
}

describe('a sleep that is refused', () => {
  it('is on record with its calls, in their order, and the answers; looks are not', async () => {
    const { heard } = await slept();
    expect(heard.map(({ service, call, answer }) => [service, call, answer])).toEqual([
      ['asr', 'exec /opt/ctl', 'exit 0'],
      ['asr', 'POST /offload?level=1&…', '500'],
    ]);
    for (const { beganMs, endedMs } of heard) expect(endedMs).toBeGreaterThan(beganMs);
  });

  it('shows no key: of a query, a header, a body, an argument', async () => {
    const { heard, error, facts } = await slept();
    expect(isGpumodError(error) && error.code).toBe('engine-refused');
    const told = JSON.stringify([heard, isGpumodError(error) && error.details, facts]);
    expect(told).toContain('no: http://127.0.0.1:1/offload?level=1&token=***');
    for (const key of Object.values(KEYS)) expect(told).not.toContain(key);
  });
});

it.each([
  [Object.assign(new Error('x'), { kind: 'refused' }), 'refused'],
  [Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
  [new DOMException('x', 'TimeoutError'), 'timed-out'],
  [new Error('x'), 'failed'],
])('a call that fails with %s is told as %s', async (failure, answer) => {
  const heard: Heard[] = [];
  const log = openCallLog();
  const stop = log.listen((call) => heard.push(call));
  const http = recordedHttp({ request: () => Promise.reject(failure) }, 'a', { log, ticksMs: () => 0 });
  const { signal } = new AbortController();
  await expect(http.request({ method: 'POST', url: 'http://h/x', signal })).rejects.toBe(failure);
  stop();
  await expect(http.request({ method: 'POST', url: 'http://h/x', signal })).rejects.toBe(failure);
  expect(heard).toMatchObject([{ call: 'POST /x', answer }]);
});
