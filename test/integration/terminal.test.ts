/** Whatever engines, tools, units, processes and journals say: a terminal obeys none of it. */
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/core/model.ts';
import type { Host } from '../../src/execute/host.ts';
import { manifest, mode, vllm } from '../fakes/build.ts';
import { world } from '../fakes/world.ts';
import { command, everyLine } from '../kit/commands.ts';

/** Clears the screen, sets a title, copies to the clipboard, C1, DEL, a bell, a return, text written backwards. */
const EVIL =
  '\u001b[2J\u001b]0;owned\u0007\u001b]52;c;cm0=\u001b\\\u009b31m\u007f\b\r\u202egnp.\u2066\u2028\u061c\u001b[8m';
const OBEYED = /[^\P{Cc}\t\n]|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of ours
const COLOURS = /\x1b\[(1|2|22|31|32|33|36|39)m/g;

const box: Manifest = {
  ...manifest(
    [vllm('chat'), vllm('embed', { unit: `em${EVIL}bed.service` })],
    [{ ...mode('talk', ['chat']), description: `a mode${EVIL}` }, mode('find', ['embed'])],
  ),
  files: [`/etc/gpumod/${EVIL}.yaml`],
};

const ways = ['well', 'refused', 'garbled', 'thrown'] as const;

function machine(way: (typeof ways)[number]): Host {
  const trouble = {
    refused: { sleepRefused: true, wakeRefused: true },
    garbled: { neverReady: 'garbled' },
    thrown: {},
    well: { version: `0.24${EVIL}` },
  } as const;
  const here = world(box, { chat: 'awake', embed: 'stopped' }, { chat: trouble[way], embed: trouble[way] });
  here.foreign(2 ** 30);
  const { host } = here;
  return {
    ...host,
    journal: async () => ({ tail: async () => [`Traceback${EVIL}`] }),
    records: { ...host.records, trouble: async () => ({ code: 'state-folder', detail: `/state/${EVIL}: no` }) },
    owner: async () => ({ kind: 'other', place: '8000', pid: 7, command: `nc${EVIL}` }),
    telemetry: {
      async read(signal, detail) {
        const reading = await host.telemetry.read(signal, detail);
        if (reading.kind === 'unmeasured') return reading;
        return {
          ...reading,
          gpus: reading.gpus.map((card) => ({ ...card, name: `RTX${EVIL}` })),
          ...(reading.processes
            ? { processes: reading.processes.map((each) => ({ ...each, command: `python${EVIL}` })) }
            : {}),
        };
      },
    },
    async driver(service) {
      const driver = await host.driver(service);
      const why = { code: 'error-status', detail: `500 ${EVIL}` } as const;
      if (way === 'thrown') throw new Error(`a bug ${EVIL}`);
      return way === 'garbled' ? { ...driver, probe: async () => ({ kind: 'garbled', why }) } : driver;
    },
  };
}

/** They print a text of its own kind, whatever the format. */
const SCRIPTS = ['schema', 'completion', '__complete'];

describe.each(ways)('on a machine that is %s', (way) => {
  it('no command in any format prints what a terminal obeys', async () => {
    let seen = 0;
    for (const columns of [undefined, 100])
      for (const line of everyLine(box)) {
        const env = columns === undefined ? {} : { FORCE_COLOR: '1', CI: '1' };
        const ran = await command(line, { manifest: box, host: machine(way), env, ...(columns ? { columns } : {}) });
        for (const text of [ran.stdout, ran.stderr].map((each) => each.replace(COLOURS, ''))) {
          expect(line.concat(text.match(OBEYED)?.map((char) => JSON.stringify(char)) ?? [])).toEqual(line);
          if (/x1b|u001b/.test(text)) seen += 1;
        }
        if (line.includes('--json') && ran.stdout !== '' && !line.some((word) => SCRIPTS.includes(word)))
          JSON.parse(ran.stdout);
      }
    expect(seen).toBeGreaterThan(20);
  });
});

it('only colours of ours pass, not those of others', async () => {
  const { stdout } = await command(['status'], { manifest: box, host: machine('well'), columns: 100, env: {} });
  expect(stdout).toMatch(COLOURS);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for
  expect(stdout.replace(COLOURS, '')).not.toMatch(/\x1b/);
});
