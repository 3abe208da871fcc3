/** Completion for fish: one `complete` line for each word, option and argument. */
import {
  type Flag,
  globalFlags,
  groups,
  type Kind,
  namesWithValue,
  type Place,
  places,
  type Word,
  wordsAfter,
} from './grammar.ts';

export function fishScript(): string {
  const everywhere = globalFlags();
  return `# fish completion for gpumod. To use it now: gpumod completion fish | source
# In every shell:                             gpumod completion fish > ~/.config/fish/completions/gpumod.fish

# The command and its arguments, one a line; after them \`-- NAME\`: the manifest that -m names. Fails behind a \`--\`.
function __gpumod_words
    set -l expects
    set -l manifest
    for word in (commandline -opc)[2..]
        if set -q expects[1]
            contains -- $expects -m --manifest; and set manifest $word
            set -e expects
            continue
        end
        switch $word
            case --
                return 1
            case '--manifest=*'
                set manifest (string replace --manifest= '' -- $word)
            case ${namesWithValue().join(' ')}
                set expects $word
            case '-*'
            case '*'
                echo $word
        end
    end
    set -q manifest[1]; and echo "-- $manifest"
    return 0
end

# Whether the words so far are these, with so many arguments behind them (default: any number).
function __gpumod_at
    set -l words (__gpumod_words | string match -v -- '-- *'); or test (count $words) = 0; or return 1
    __gpumod_words >/dev/null; or return 1
    set -l path (string split -n ' ' -- $argv[1])
    set -l more (math (count $words) - (count $path))
    test $more -ge 0; or return 1
    for i in (seq (count $path))
        test "$words[$i]" = "$path[$i]"; or return 1
    end
    test (count $argv) = 1; or test $more = $argv[2]
end

# The names in the manifest that the command line, or $GPUMOD_MANIFEST, tells.
function __gpumod_names
    set -l program (commandline -opc)[1]
    set -l words (__gpumod_words)
    set -l manifest (string match -r -g -- '^-- (.*)' $words)
    set -q manifest[1]; and set manifest -m (string replace -r '^~/' "$HOME/" -- $manifest)
    for name in ($program $manifest __complete $argv[1] 2>/dev/null)
        contains -- $name $words; or echo $name
    end
end

complete -c gpumod -e
complete -c gpumod -n '__gpumod_words >/dev/null' -f
${['', ...groups()].flatMap((group) => wordsAfter(group).map((word) => wordLine(group, word))).join('\n')}
${wordsAfter('help')
  .map((word) => wordLine('help', word))
  .join('\n')}
${everywhere.map((flag) => flagLine(undefined, flag)).join('\n')}
${places()
  .flatMap((place) => [...argumentLines(place), ...ownFlags(place, everywhere)])
  .join('\n')}
`;
}

function wordLine(group: string, { word, help }: Word): string {
  return `complete -c gpumod -n '__gpumod_at "${group}" 0' -a ${word} -d ${quoted(help)}`;
}

function argumentLines({ path, argument }: Place): readonly string[] {
  if (!argument || argument.kind === 'none') return [];
  const when = argument.many ? `__gpumod_at "${path}"` : `__gpumod_at "${path}" 0`;
  return [`complete -c gpumod -n '${when}' -a ${quoted(valuesOf(argument.kind))}`];
}

function ownFlags({ path, flags }: Place, everywhere: readonly Flag[]): readonly string[] {
  const others = flags.filter(
    ({ long, value }) => !everywhere.some((one) => one.long === long && String(one.value) === String(value)),
  );
  return others.map((flag) => flagLine(path, flag));
}

function flagLine(path: string | undefined, { short, long, value, help }: Flag): string {
  const when = path === undefined ? '' : ` -n '__gpumod_at "${path}"'`;
  const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
  return `complete -c gpumod${when}${letter} -l ${long.slice(2)}${wanted(value)} -d ${quoted(help)}`;
}

function wanted(value: Kind | undefined): string {
  if (value === undefined) return '';
  if (value === 'none') return ' -x';
  return value === 'files' ? ' -r -F' : ` -x -a ${quoted(valuesOf(value))}`;
}

function valuesOf(kind: Exclude<Kind, 'none'>): string {
  if (kind === 'files') return '(__fish_complete_path)';
  return kind === 'modes' || kind === 'services' ? `(__gpumod_names ${kind})` : kind.join(' ');
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
