/** Completion for bash: one function, which needs nothing but bash itself. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is how a shell names a variable
import {
  type Flag,
  globalFlags,
  groups,
  type Kind,
  namesWithValue,
  type Place,
  places,
  valueCases,
  wordsAfter,
} from './grammar.ts';

export function bashScript(): string {
  return `# bash completion for gpumod. To use it now:       source <(gpumod completion bash)
# In every shell (with the package bash-completion): gpumod completion bash > ~/.local/share/bash-completion/completions/gpumod

# The names in the manifest that the command line, or $GPUMOD_MANIFEST, tells.
_gpumod_names() {
  if [[ -n $manifest ]]; then "$program" -m "$manifest" __complete "$1"; else "$program" __complete "$1"; fi 2>/dev/null
}

# What of the words begins as the one that is being typed, and is not there yet.
_gpumod_offer() {
  local word
  for word; do
    [[ $word == "$cur"* && " \${arguments[*]} " != *" $word "* ]] && COMPREPLY+=("$word")
  done
}

_gpumod_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# What may follow an option.
_gpumod_value() {
  local arguments=()
  case "$path $1" in
${valueCases(offer)}
  esac
}

_gpumod_options() {
  case $path in
${places()
  .map((place) => `    ${quoted(place.path)}) _gpumod_offer ${flagWords(place.flags)} ;;`)
  .join('\n')}
    *) _gpumod_offer ${flagWords(globalFlags())} ;;
  esac
}

_gpumod() {
  local program=\${COMP_WORDS[0]/#\\~\\//$HOME/} cur=\${COMP_WORDS[COMP_CWORD]} manifest='' path='' expects='' word i
  local words=() arguments=()
  COMPREPLY=()
  [[ $cur == = ]] && cur=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then continue; fi # bash takes --option=value apart
    if [[ -n $expects ]]; then
      [[ $expects == -m || $expects == --manifest ]] && manifest=\${word/#\\~\\//$HOME/}
      expects=''
      continue
    fi
    case $word in
      --) _gpumod_files; return ;; # what follows is a command's
      ${namesWithValue().join('|')}) expects=$word ;;
      -*) ;;
      *) words+=("$word") ;;
    esac
  done
  manifest=\${manifest//[\\"\\'\\\\]/}
  path=\${words[0]} arguments=("\${words[@]:1}")
  case $path in
    ${groups().join('|')}) path=\${words[*]:0:2} arguments=("\${words[@]:2}") ;;
  esac
  if [[ -n $expects ]]; then _gpumod_value "$expects"; return; fi
  if [[ $cur == -* ]]; then _gpumod_options; return; fi
  case $path in
    '') _gpumod_offer ${wordList('')} ;;
    help) _gpumod_offer ${wordList('help')} ;;
${groups()
  .map((group) => `    ${group}) _gpumod_offer ${wordList(group)} ;;`)
  .join('\n')}
${places().map(argumentCase).join('\n')}
  esac
}

complete -F _gpumod gpumod
`;
}

/** The options come once there is no further argument to offer. */
function argumentCase({ path, argument }: Place): string {
  if (!argument || argument.kind === 'none') return `    ${quoted(path)}) _gpumod_options ;;`;
  const first = argument.many ? '' : '((${#arguments[@]} == 0)) && ';
  return `    ${quoted(path)}) ${first}${offer(argument.kind)}; ((\${#COMPREPLY[@]} == 0)) && [[ -z $cur ]] && _gpumod_options ;;`;
}

function offer(kind: Kind): string {
  if (kind === 'none') return ':';
  if (kind === 'files') return '_gpumod_files';
  if (kind === 'modes' || kind === 'services') return `_gpumod_offer $(_gpumod_names ${kind})`;
  return `_gpumod_offer ${kind.join(' ')}`;
}

const wordList = (group: string): string =>
  wordsAfter(group)
    .map(({ word }) => word)
    .join(' ');

const flagWords = (flags: readonly Flag[]): string => flags.map(({ long }) => long).join(' ');

const quoted = (path: string): string => `'${path}'`;
