/** Completion for zsh: descriptions beside the words; works sourced and from a folder of $fpath. */
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
  type Word,
  wordsAfter,
} from './grammar.ts';

export function zshScript(): string {
  return `#compdef gpumod
# zsh completion for gpumod. To use it now: source <(gpumod completion zsh)
# In every shell: gpumod completion zsh > ~/.zfunc/_gpumod, and in ~/.zshrc, before compinit: fpath+=(~/.zfunc)

# The names in the manifest that the command line, or $GPUMOD_MANIFEST, tells.
_gpumod_names() {
  local -a names
  if [[ -n $manifest ]]; then
    names=(\${(f)"$("$program" -m "$manifest" __complete $1 2>/dev/null)"})
  else
    names=(\${(f)"$("$program" __complete $1 2>/dev/null)"})
  fi
  names=(\${names:|arguments})
  (( $#names )) && compadd -a names
}

# What may follow an option.
_gpumod_value() {
  local -a arguments
  case "$command $1" in
${valueCases(offer)}
  esac
}

_gpumod_options() {
  local -a flags
  case $command in
${places()
  .map(({ path, flags }) => `    ${quoted(path)}) flags=(${described(flags.map(asWord))}) ;;`)
  .join('\n')}
    *) flags=(${described(globalFlags().map(asWord))}) ;;
  esac
  _describe -o option flags
}

_gpumod() {
  local program=$words[1] manifest= command= expects= word
  local -i i
  local -a given arguments list
  program=\${~program}
  for (( i = 2; i < CURRENT; i++ )); do
    word=\${(Q)words[i]}
    if [[ -n $expects ]]; then
      [[ $expects == (-m|--manifest) ]] && manifest=\${word/#\\~\\//$HOME/}
      expects=
      continue
    fi
    case $word in
      --) shift $i words; (( CURRENT -= i )); _normal; return ;; # what follows is a command's
      --manifest=*) manifest=\${word#*=} ;;
      ${namesWithValue().join('|')}) expects=$word ;;
      -*) ;;
      *) given+=("$word") ;;
    esac
  done
  command=$given[1] arguments=("\${(@)given[2,-1]}")
  case $command in
    ${groups().join('|')}) command="\${given[1,2]}" arguments=("\${(@)given[3,-1]}") ;;
  esac
  if [[ -z $expects && $words[CURRENT] == --*=* ]]; then
    expects=\${words[CURRENT]%%=*}
    compset -P '*='
  fi
  if [[ -n $expects ]]; then _gpumod_value $expects; return; fi
  if [[ $words[CURRENT] == -* ]]; then _gpumod_options; return; fi
  case $command in
    '') list=(${described(wordsAfter(''))}); _describe command list ;;
    help) list=(${described(wordsAfter('help'))}); _describe command list ;;
${groups()
  .map((group) => `    ${group}) list=(${described(wordsAfter(group))}); _describe command list ;;`)
  .join('\n')}
${places().map(argumentCase).join('\n')}
  esac
}

if [[ $funcstack[1] == _gpumod ]]; then _gpumod "$@"; else compdef _gpumod gpumod; fi
`;
}

/** The options come once there is no further argument to offer. */
function argumentCase({ path, argument }: Place): string {
  if (!argument || argument.kind === 'none') return `    ${quoted(path)}) _gpumod_options ;;`;
  const first = argument.many ? '' : '(( $#arguments == 0 )) && ';
  return `    ${quoted(path)}) ${first}${offer(argument.kind)} || _gpumod_options ;;`;
}

function offer(kind: Kind): string {
  if (kind === 'none') return "_message 'a value'";
  if (kind === 'files') return '_files';
  if (kind === 'modes' || kind === 'services') return `_gpumod_names ${kind}`;
  return `compadd ${kind.join(' ')}`;
}

const asWord = ({ long, help }: Flag): Word => ({ word: long, help });

const described = (words: readonly Word[]): string =>
  words.map(({ word, help }) => quoted(`${word}:${help.replaceAll(':', '\\:')}`)).join(' ');

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
