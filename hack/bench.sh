#!/usr/bin/env bash
# Measures every figure of docs/performance.md. Needs wrk, nginx and taskset, and a machine with two quiet cores.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=()
for tool in wrk nginx taskset; do command -v "$tool" >/dev/null || wanted+=("$tool"); done
if [ "${#wanted[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "keyward: installing ${wanted[*]} (apt-get)"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq wrk nginx-light util-linux >/dev/null
fi
for tool in wrk nginx taskset; do
  command -v "$tool" >/dev/null || { echo "keyward: make bench needs $tool: install it (Debian: wrk, nginx-light, util-linux)" >&2; exit 1; }
done
[ "$(nproc)" -ge 2 ] || { echo "keyward: make bench needs two cores: one for the server, one for the load" >&2; exit 1; }

node() { npm run --silent node -- "$@"; }
node --expose-gc --max-old-space-size=4096 bench/decide.ts
node bench/start.ts
node bench/wire.ts
