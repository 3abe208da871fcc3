/** Every command of the program in every format, run in this process on a machine of the test's own. */

import type { UnitTools } from '../../src/app/unit-tools.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import type { Parts } from '../../src/cli/parts.ts';
import { run } from '../../src/cli/run.ts';
import type { Manifest } from '../../src/core/model.ts';
import type { Host } from '../../src/execute/host.ts';
import type { Ran } from './cli.ts';

export interface Machine {
  /** Or how it is loaded. */
  readonly manifest: Manifest | (() => Promise<Manifest>);
  readonly host: Host;
  readonly hide?: Parts['hide'];
  /** Columns of the terminal that stdout and stderr are. */
  readonly columns?: number;
  readonly env?: Parts['env'];
  /** In the place of what there is else. */
  readonly parts?: Partial<Parts>;
  readonly tools?: UnitTools;
}

export async function command(
  argv: readonly string[],
  { manifest, host, hide, columns, env, tools, parts: more }: Machine,
): Promise<Ran> {
  const load = async () => (typeof manifest === 'function' ? manifest() : manifest);
  const out = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof out) => ({
    isTerminal: columns !== undefined,
    columns,
    write(text: string) {
      out[name] += text;
    },
  });
  const unused = () => Promise.reject(new Error('not asked for'));
  const parts: Parts = {
    hide: hide ?? ((text) => text),
    env: env ?? {},
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    stop: new AbortController().signal,
    loadManifest: load,
    manifestPaths: async () => (await load()).files,
    manifestSchema: async () => ({}),
    openUnitTools: async () => tools ?? unitTools(),
    openDemo: unused,
    openInit: unused,
    openHost: async () => host,
    obstacleTo: async () => undefined,
    runProgram: async () => ({ code: 0 }),
    ...more,
  };
  const code = await run(argv, '1.2.3', parts);
  return { code, ...out };
}

/** A folder of unit files in memory. */
export function unitTools(contents: Record<string, string> = {}): UnitTools {
  return {
    program: ['/usr/bin/node', '/usr/bin/gpumod'],
    crontab: async () => ({ kind: 'none' }),
    monotonicMs: () => 0,
    proxyd: async () => ({ path: '/usr/lib/systemd/systemd-socket-proxyd', version: 252 }),
    files: {
      pathOf: (unit, scope) => `/${scope}/${unit}`,
      read: async (path) => contents[path],
      write: async (path, text) => {
        contents[path] = text;
      },
    },
  };
}

const FORMATS = [['-v', '--debug'], ['-o', 'plain'], ['--json'], ['-o', 'ndjson', '--debug']];

/** Command lines of all commands but the demo and init, which bring their own machines. */
export function everyLine({ services, modes }: Manifest): readonly (readonly string[])[] {
  const commands = COMMANDS.filter(({ action }) => action !== 'demo' && action !== 'init').flatMap(
    ({ path, args = '', action, choices }) => {
      const words = path.split(' ');
      if (choices) return choices.map((choice) => [...words, choice]);
      const more = action === 'bench' ? ['--yes', '--rounds', '1'] : [];
      if (action === 'unitSocket') return [...modes.keys()].map((mode) => [...words, mode, '65000']);
      if (action === 'run') return [...modes.keys()].map((mode) => [...words, '--mode', mode, '--', 'true']);
      if (/^[<[]mode/.test(args)) return [...modes.keys()].map((mode) => [...words, mode, ...more]);
      if (/^<service/.test(args)) return [...services.keys()].map((service) => [...words, service, ...more]);
      return [words];
    },
  );
  const asked = (words: readonly string[], format: readonly string[]) =>
    words.includes('--') ? [...format, ...words] : [...words, ...format];
  return commands.flatMap((words) => FORMATS.map((format) => asked(words, format)));
}
