#!/usr/bin/env bash
# Installs the exact dependencies, Node 24 among them, and says precisely what is missing where it can't.
set -euo pipefail
cd "$(dirname "$0")/.."

missing() { echo "keyward: $1" >&2; exit 1; }

command -v npm >/dev/null || missing "npm is missing: install Node.js 20 or newer (npm comes with it)"
[ "$(uname -s)" = Linux ] || echo "keyward: tried on Linux only; on $(uname -s) the linter and some tests will not run" >&2

echo "keyward: installing dependencies (npm ci)"
log=$(mktemp)
if ! npm ci --no-audit --no-fund --loglevel=error >"$log" 2>&1; then
  cat "$log" >&2
  rm -f "$log"
  missing "npm ci failed (see above); it needs a package registry that npm is set up to reach"
fi
rm -f "$log"
version=$(npm run --silent node -- --version) || missing "the node package did not install its binary: its install script must be allowed to run"
case "$version" in v24.*) ;; *) missing "Node 24 is needed and npm gave $version" ;; esac
touch node_modules
