/** What drivers read: versions, metrics, and the words of an engine. */
import { describe, expect, it } from 'vitest';
import { brief, valueAt, wordsOf } from '../../../src/engines/answer.ts';
import { samplesOf, sumOf } from '../../../src/engines/prometheus.ts';
import { levelsOf, napOf, releaseOf } from '../../../src/engines/vllm/versions.ts';

describe('versions of vLLM', () => {
  it.each([
    ['0.7.3', [], 'version-too-old'],
    ['0.8.0', [1], 'can'],
    ['0.10.1', [1], 'can'],
    ['0.10.2', [1, 2], 'can'],
    ['0.13.0', [1, 2], 'can'],
    ['0.14.0', [2], 'version-broken'],
    ['0.16.2', [2], 'version-broken'],
    ['0.17.0rc1', [1, 2], 'can'],
    ['v0.24.0', [1, 2], 'can'],
    ['0.24.1.dev3+gabc', [1, 2], 'can'],
    ['1.0', [1, 2], 'can'],
    ['0.1.dev9876+g0123abc', [1], 'can'],
    ['nightly', [1], 'can'],
    [undefined, [1], 'can'],
  ] as const)('%s: levels %j, declared 1: %s', (version, levels, declared1) => {
    const release = releaseOf(version);
    expect(levelsOf(release)).toEqual(levels);
    const nap = napOf(release, 1);
    expect(nap.can ? 'can' : nap.why.code).toBe(declared1);
    expect(napOf(release, 2).can).toBe(levels.length > 0);
  });
});

describe('metrics', () => {
  const text = [
    '# HELP vllm:num_requests_running Number of requests, {or so}.',
    '# TYPE vllm:num_requests_running gauge',
    'vllm:num_requests_running{engine="0",model_name="a,b}\\"c\\\\"} 1.0',
    'vllm:num_requests_running{engine="1",model_name="d"} 2e0 1731000000000',
    'vllm:num_requests_waiting{engine="0", model_name = "d" ,} +3',
    'vllm:num_requests_waiting_by_reason{reason="capacity"} 50',
    'vllm:num_requests_running_total 70',
    'up 1',
    'bad{x="y} 1',
    'nan NaN',
    'inf +Inf',
  ].join('\n');

  it('sums exactly the named series', () => {
    expect(sumOf(text, ['vllm:num_requests_running', 'vllm:num_requests_waiting'])).toBe(6);
    expect(sumOf(text, ['up'])).toBe(1);
  });

  it('reads labels with commas, braces, quotes and backslashes', () => {
    expect(samplesOf(text, 'vllm:num_requests_running')[0]?.labels).toEqual({ engine: '0', model_name: 'a,b}"c\\' });
  });

  it.each(['none', 'bad', 'nan', 'inf'])('%s: not told', (name) => expect(sumOf(text, [name])).toBeUndefined());

  it('is not held up by a hostile line', () => {
    expect(samplesOf(`up{${'a="'.repeat(20_000)}`, 'up')).toEqual([]);
  });
});

describe('an error in the words of the engine', () => {
  const words = (body: unknown) =>
    wordsOf({ status: 500, headers: {}, text: typeof body === 'string' ? body : JSON.stringify(body) });

  it.each([
    [{ error: { message: 'out of memory', code: 500 } }, 'out of memory'],
    [{ error: 'Unauthorized' }, 'Unauthorized'],
    [{ detail: 'Not Found' }, 'Not Found'],
    [{ detail: [{ loc: ['body'] }] }, '[{"loc":["body"]}]'],
    ['Internal Server Error\n', 'Internal Server Error'],
    ['', ''],
    ['null', 'null'],
  ])('%j: %s', (body, text) => expect(words(body)).toBe(text));

  it('is one short line without terminal escapes', () => {
    expect(brief('a\n\x1b[31mb\u202ec')).toBe('a \\x1b[31mb\\u202ec');
    expect(words('x'.repeat(10_000))).toHaveLength(201);
  });
});

it('a dotted path finds only what is there', () => {
  expect(valueAt({ data: [{ id: 'x' }] }, 'data.0.id')).toBe('x');
  expect(valueAt({ a: 1 }, 'a.b')).toBeUndefined();
  expect(valueAt({}, 'constructor.name')).toBeUndefined();
  expect(valueAt(null, 'a')).toBeUndefined();
});
