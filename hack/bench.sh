#!/usr/bin/env bash
# Measures every figure of docs/performance.md. Needs taskset and a machine with two quiet cores.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v taskset >/dev/null || { echo "keyward: make bench needs taskset: install it (Debian: util-linux)" >&2; exit 1; }
# fetched before anything is measured
bash hack/parts.sh envoy nginx wrk h2load redis-server >/dev/null
[ "$(nproc)" -ge 2 ] || { echo "keyward: make bench needs two cores: one for the server, one for the load" >&2; exit 1; }

node() { npm run --silent node -- "$@"; }
node --expose-gc --max-old-space-size=4096 bench/decide.ts
node bench/start.ts
node bench/wire.ts
node bench/ext-authz.ts
node bench/grpc.ts
node bench/envoy.ts
