/** PURE: what a shell runs to know how a command line may go on. */
import type { Shell } from './completion.ts'

/** No value of a person or of the cluster is ever evaluated: words go in as arguments, and lines come out as text. */
const BASH = `# keyward completion for bash: source <(keyward completion bash)
_keyward() {
  local line directive=0 word cur
  local -a words
  if declare -F _get_comp_words_by_ref >/dev/null; then
    local cword
    _get_comp_words_by_ref -n "=:" cur words cword
    words=("\${words[@]:1:cword}")
  else
    cur=\${COMP_WORDS[COMP_CWORD]}
    words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) directive=\${line#:} ;;
      *) word=\${line%%$'\\t'*}; [[ $word == "$cur"* ]] && COMPREPLY+=("$word") ;;
    esac
  done < <(keyward __complete "\${words[@]}" 2>/dev/null)
  if ((directive & 2)); then compopt -o nospace; fi
  if ((directive == 0)); then compopt -o default; fi
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _keyward keyward
`

const ZSH = `#compdef keyward
# keyward completion for zsh: source <(keyward completion zsh)
_keyward() {
  local line directive=0
  local -a found nospace
  while IFS= read -r line; do
    case $line in
      :*) directive=\${line#:} ;;
      *) line=\${line//:/\\\\:}; found+=("\${line/$'\\t'/:}") ;;
    esac
  done < <(keyward __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if ((directive == 0)); then _files; return; fi
  if ((directive & 2)); then nospace=(-S ''); fi
  _describe -t keyward keyward found $nospace
}
if [ "$funcstack[1]" = "_keyward" ]; then _keyward; else compdef _keyward keyward; fi
`

const FISH = `# keyward completion for fish: keyward completion fish | source
function __keyward_complete
  set -l words (commandline -opc) (commandline -ct)
  keyward __complete $words[2..-1] 2>/dev/null | string match -v -r '^:[0-9]+$'
end
function __keyward_files
  set -l words (commandline -opc) (commandline -ct)
  keyward __complete $words[2..-1] 2>/dev/null | string match -q ':0'
end
complete -c keyward -e
complete -c keyward -f -a '(__keyward_complete)'
complete -c keyward -n __keyward_files -F
`

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

export const completionScript = (shell: Shell): string => SCRIPTS[shell]
