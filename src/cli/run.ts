/** One command: arguments → action → exit code; the only catch-all. */
import { type AnyGpumodError, isGpumodError } from '../core/errors.ts';
import type { Call } from './action.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import type { Parts } from './parts.ts';
import { parse } from './program.ts';
import { demoSpeed } from './speed.ts';
import { type ColorWish, styleFor, wantsColor } from './view/style.ts';
import type { Format, View } from './view/view.ts';

export async function run(argv: readonly string[], version: string, parts: Parts): Promise<number> {
  const debug = argv.includes('--debug');
  let view: View | undefined;
  try {
    const asked = parse(argv, version);
    if (asked.kind === 'text') {
      parts.stdout.write(asked.text);
      return EXIT.ok;
    }
    const { spec, args, options } = asked;
    const action = spec.load(); // its modules load while the view is made
    view = await openView(options, parts, spec.path === 'demo' ? demoSpeed(options) : 1);
    const call: Call = { args, options, view, parts };
    return await (await action)(call);
  } catch (thrown) {
    if (debug && thrown instanceof Error) parts.stderr.write(`${thrown.stack}\n`);
    if (!isGpumodError(thrown)) return bug(thrown, debug, parts);
    (view ?? (await errorView(argv, parts))).error(thrown as AnyGpumodError);
    return exitCodeOf(thrown);
  }
}

function bug(thrown: unknown, debug: boolean, parts: Parts): number {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  parts.stderr.write(`error: a bug in gpumod: ${message}\n`);
  if (!debug) parts.stderr.write('→ please report it with what the same command prints with --debug\n');
  return EXIT.bug;
}

/** For errors before the options are known. */
function errorView(argv: readonly string[], parts: Parts): Promise<View> {
  const output = argv.includes('--json') ? 'json' : undefined;
  return openView(output ? { output } : {}, parts);
}

/** `rate`: seconds that pass for the switch while one passes here. */
async function openView(options: Readonly<Record<string, unknown>>, parts: Parts, rate = 1): Promise<View> {
  const { stdout, stderr, env } = parts;
  const format = options['json'] === true ? 'json' : ((options['output'] as Format | undefined) ?? 'table');
  const quiet = options['quiet'] === true || options['progress'] === 'quiet';
  switch (format) {
    case 'json':
    case 'ndjson':
      return (await import('./view/json.ts')).jsonView(stdout, stderr, format === 'ndjson');
    case 'plain':
      return (await import('./view/plain.ts')).plainView(stdout, stderr, quiet);
    case 'table': {
      const wish = (options['color'] as ColorWish | undefined) ?? 'auto';
      const [style, errStyle] = [stdout, stderr].map((sink) => styleFor(wantsColor(wish, env, sink)));
      const { humanView } = await import('./view/human.ts');
      const { openProgress } = await import('./view/progress.ts');
      const how = quiet ? 'quiet' : options['progress'] === 'plain' ? 'plain' : 'auto';
      const plainStyle = styleFor(false);
      const progress = openProgress(how, stderr, errStyle ?? plainStyle, env, rate);
      return humanView({
        out: stdout,
        err: stderr,
        style: style ?? plainStyle,
        errStyle: errStyle ?? plainStyle,
        progress,
      });
    }
  }
}
