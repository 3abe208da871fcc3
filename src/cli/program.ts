/** The command tree as commander wants it, made from `commands.ts`: only this file knows commander. */
import { Command, CommanderError, Option } from 'commander';
import { GpumodError } from '../core/errors.ts';
import { near } from '../core/near.ts';
import { COMMANDS, type CommandSpec, GLOBAL_OPTIONS, GROUPS, type OptionSpec } from './commands.ts';

/** What the arguments ask for. */
export type Asked =
  | {
      readonly kind: 'command';
      readonly spec: CommandSpec;
      readonly args: readonly string[];
      readonly options: Readonly<Record<string, unknown>>;
    }
  /** Help or version: text for stdout. */
  | { readonly kind: 'text'; readonly text: string };

/** Throws `usage`. */
export function parse(argv: readonly string[], version: string): Asked {
  let text = '';
  let asked: Asked | undefined;
  const root = tree(version, (found) => {
    asked = found;
  });
  for (const command of [root, ...descendants(root)])
    command.exitOverride().configureOutput({
      writeOut: (part) => {
        text += part;
      },
      writeErr: () => {},
    });
  try {
    root.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw new GpumodError('usage', { problem: problemOf(error, argv) });
  }
  return asked ?? { kind: 'text', text: text || root.helpInformation() };
}

function tree(version: string, found: (asked: Asked) => void): Command {
  const root = withOptions(new Command('gpumod'), GLOBAL_OPTIONS)
    .description('Switches a GPU machine between named modes of systemd-managed inference services.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'help for a command')
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      '\nStart with: gpumod status · gpumod mode plan NAME · gpumod mode switch NAME\nSee it work without a GPU: gpumod demo',
    );
  for (const [name, help] of Object.entries(GROUPS)) root.command(name).description(help);
  for (const spec of COMMANDS) addCommand(root, spec, found);
  return root;
}

function addCommand(root: Command, spec: CommandSpec, found: (asked: Asked) => void): void {
  const words = spec.path.split(' ');
  const parent = words.length > 1 ? (root.commands.find((command) => command.name() === words[0]) ?? root) : root;
  const command = parent.command(words.at(-1) ?? '').description(spec.help);
  if (spec.args) command.arguments(spec.args);
  withOptions(command, spec.options ?? []);
  withOptions(command, GLOBAL_OPTIONS, true);
  command.addHelpText('after', '\nOptions of every command (-m, -o, --json, -q, -v, ...): gpumod --help');
  if (spec.examples)
    command.addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`);
  command.action((..._: unknown[]) => {
    found({ kind: 'command', spec, args: command.args, options: command.optsWithGlobals() });
  });
}

function withOptions(command: Command, specs: readonly OptionSpec[], hidden = false): Command {
  for (const { flags, help, choices } of specs) {
    const option = new Option(flags, help);
    if (choices) option.choices([...choices]);
    command.addOption(hidden ? option.hideHelp() : option);
  }
  return command;
}

function descendants(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)]);
}

function problemOf(error: CommanderError, argv: readonly string[]): string {
  const message = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)/i, ' (did you mean $1?)');
  if (error.code === 'commander.help') return unknownIn(argv);
  if (error.code === 'commander.unknownOption' && argv.includes('run') && !argv.includes('--'))
    return `${message} (a command's own options come after --: gpumod run --mode NAME -- COMMAND)`;
  return message;
}

/** Commander answers `gpumod mode` and `gpumod mode swich` with help; say what is wrong instead. */
function unknownIn(argv: readonly string[]): string {
  const words = argv.filter((word) => !word.startsWith('-'));
  const [group = '', word] = words;
  const known = COMMANDS.filter((spec) => spec.path.startsWith(`${group} `)).map(
    (spec) => spec.path.split(' ')[1] ?? '',
  );
  if (word === undefined) return known.length ? `${group}: say which: ${known.join(', ')}` : 'say what to do';
  const meant = near(word, known);
  return `unknown command '${group} ${word}'${meant ? ` (did you mean '${group} ${meant}'?)` : ''}`;
}
