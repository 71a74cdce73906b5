#!/usr/bin/env bash
# Runs test projects (quick, real, long) and ends with the plain line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."

report=$(mktemp)
trap 'rm -f "$report"' EXIT
case " $* " in
  *" real "* | *" long "*)
    echo "keyward: seeing that the parts for tests on real processes are there (hack/parts.sh)"
    # what is missing fails the tests that need it, with the reason
    bash hack/parts.sh all || echo "keyward: not every part could be fetched (see above)" >&2
    ;;
esac
projects=()
for project in "$@"; do projects+=(--project "$project"); done
npm run --silent vitest -- run "${projects[@]}" --reporter=default --reporter=json --outputFile.json="$report"
status=$?
npm run --silent node -- hack/count-tests.ts "$report" || status=1
exit "$status"
