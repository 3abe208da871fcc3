/** Journals of starts that failed, and of some that did not, by fixture: its first line names the cause, its facts, and the end. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { causeDocument, causeWords } from '../../../src/cli/view/cause-words.ts';
import { causeOf, type End } from '../../../src/core/cause.ts';
import { KNOWN_FAILURES } from '../../../src/core/known-failures.ts';

interface Journal {
  readonly name: string;
  readonly expected: string;
  readonly end: End;
  readonly lines: readonly string[];
}

const FOLDER = new URL('../../fixtures/journals/', import.meta.url);

/** `# code fact=value fact=value | result=exit-code status=203`; `runs`: nothing has ended. */
const journals: readonly Journal[] = readdirSync(FOLDER).map((file) => {
  const [head = '', ...lines] = readFileSync(new URL(file, FOLDER), 'utf8').trimEnd().split('\n');
  const [expected = '', how = ''] = head.slice(2).split(' | ');
  return { name: file.replace('.txt', ''), expected, end: endOf(how), lines };
});

function endOf(how: string): End {
  if (how === 'runs') return {};
  const result = /result=(\S+)/.exec(how)?.[1] ?? 'exit-code';
  const status = /status=(\d+)/.exec(how)?.[1];
  return { result, exitStatus: status === undefined ? 1 : Number(status) };
}

function told(lines: readonly string[], end: End): string {
  const cause = causeOf(lines, end);
  if (!cause) return 'none';
  return [cause.code, ...Object.entries(cause.facts).map(([name, value]) => `${name}=${value}`)].join(' ');
}

const sorted = (text: string) => text.split(/ (?=\w+=)/).sort();

it.each(journals)('$name', ({ expected, end, lines }) => {
  expect(sorted(told(lines, end))).toEqual(sorted(expected));
});

it('has a journal for every cause', () => {
  const covered = new Set(journals.map(({ expected }) => expected.split(' ')[0]));
  expect(KNOWN_FAILURES.map(({ code }) => code).filter((code) => !covered.has(code))).toEqual([]);
});

it('is not misled by what a terminal or a logger puts around the words', () => {
  const around = (line: string) => `Nov 20 03:00:31 box vllm[4390]: \u001b[31m${line}\u001b[0m`;
  for (const { name, expected, end, lines } of journals)
    if (expected !== 'none')
      expect([name, told(lines.map(around), end).split(' ')[0]]).toEqual([name, expected.split(' ')[0]]);
});

it('knows from the end alone what systemd is sure of', () => {
  expect(causeOf([], { result: 'oom-kill', exitStatus: 9 })).toEqual({ code: 'host-oom-kill', facts: {} });
  expect(causeOf([], { result: 'exit-code', exitStatus: 203 })).toEqual({ code: 'no-program', facts: {} });
  expect(causeOf([], { result: 'start-limit-hit' })).toEqual({ code: 'start-limit', facts: {} });
  expect(causeOf([], { result: 'exit-code', exitStatus: 1 })).toBeUndefined();
});

it('does not blame a request that was refused for an end', () => {
  const refused = ['INFO:     127.0.0.1:51034 - "POST /sleep?level=1 HTTP/1.1" 404 Not Found'];
  expect(causeOf(refused, {})?.code).toBe('no-dev-mode');
  expect(causeOf(refused, { result: 'exit-code', exitStatus: 1 })).toBeUndefined();
});

it('keeps the line that says so, without what the logger put before it', () => {
  const journal = journals.find(({ name }) => name === 'vllm-profiling');
  expect(causeOf(journal?.lines ?? [], journal?.end ?? {})?.line).toMatch(/^AssertionError: Error in memory profiling/);
});

it('reads a line of a megabyte, and a thousand of them, at once', () => {
  const dump = `ERROR ${'max seq len ('.repeat(80_000)}`;
  expect(causeOf(Array(1000).fill(dump), { result: 'exit-code' })).toBeUndefined();
});

it('says what it means and how it is mended', () => {
  const said = journals.flatMap(({ name, end, lines }) => {
    const cause = causeOf(lines, end);
    if (!cause) return [];
    const { what, fix } = causeWords(cause, 'chat');
    return [`${name}\n  cause: ${what}\n  fix: ${fix}`];
  });
  expect(said.join('\n')).toMatchSnapshot();
});

it('has words also where a text tells no facts', () => {
  for (const { code } of KNOWN_FAILURES) {
    const { what, fix } = causeWords({ code, facts: {} }, 'chat');
    expect(`${what} ${fix}`).not.toMatch(/undefined|NaN|null/);
  }
});

it('makes nothing of a journal a command of its own', () => {
  const open = ["gguf_init_from_file: failed to open GGUF file '/m/$(reboot) x.gguf' (No such file or directory)"];
  const cause = causeOf(open, { result: 'exit-code' });
  expect(cause && causeWords(cause, 'chat').fix).toContain("ls -l '/m/$(reboot) x.gguf';");
  const evil = causeOf(["gguf_init_from_file: failed to open GGUF file '/m/\u0007\u202e.gguf'"], {
    result: 'exit-code',
  });
  expect(JSON.stringify(causeDocument(evil, 'chat'))).toContain('/m/\\\\x07\\\\u202e.gguf');
});
