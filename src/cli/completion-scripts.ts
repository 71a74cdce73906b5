/** PURE: what a shell runs to know how a command line may go on. */
import type { Shell } from './completion.ts'

/**
 * No value of a person or of the cluster is ever evaluated: words go in as arguments, and lines come out as text. Bash takes
 * words apart at colons and the like, so they are put together as they stand in the line, and only what is behind the last
 * such character is given back, since only that is replaced.
 */
const BASH = `# keyward completion for bash: source <(keyward completion bash)
_keyward() {
  local rest=\${COMP_LINE:0:COMP_POINT} gap piece line directive=0 word cur kept i n=0
  local -a words
  words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    gap=\${rest%%[![:space:]]*}
    rest=\${rest#"$gap"}
    piece=\${COMP_WORDS[i]}
    if ((i == COMP_CWORD)); then piece=$rest; fi
    rest=\${rest#"$piece"}
    if [[ -z $gap && $n -gt 0 ]]; then
      words[n-1]+=$piece
    else
      words[n]=$piece
      n=$((n + 1))
    fi
  done
  cur=\${words[n-1]}
  kept=\${cur%"\${cur##*[$COMP_WORDBREAKS]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) directive=\${line#:} ;;
      *) word=\${line%%$'\\t'*}; [[ $word == "$cur"* ]] && COMPREPLY+=("\${word#"$kept"}") ;;
    esac
  done < <(keyward __complete "\${words[@]:1}" 2>/dev/null)
  if ((directive & 2)); then compopt -o nospace; fi
  if ((directive == 0)); then compopt -o default; fi
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
  if ((directive == 0)); then compset -P '--[a-z-]##='; _files; return; fi
  if ((directive & 2)); then nospace=(-S ''); fi
  _describe -t keyward keyward found "\${nospace[@]}"
}
if [ "$funcstack[1]" = "_keyward" ]; then _keyward; else compdef _keyward keyward; fi
`

/** Asked once for each Tab: the condition keeps what was found, and where files are the answer it does not hold. */
const FISH = `# keyward completion for fish: keyward completion fish | source
function __keyward_look
  set -l words (commandline -opc) (commandline -ct)
  set -l lines (keyward __complete $words[2..-1] 2>/dev/null)
  set -g __keyward_found (string match -v -r '^:[0-9]+$' -- $lines)
  not contains -- ':0' $lines
end
complete -c keyward -e
complete -c keyward -n __keyward_look -f -a '$__keyward_found'
`

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

export const completionScript = (shell: Shell): string => SCRIPTS[shell]
