#!/usr/bin/env bash
# Runs test projects (quick, real, cluster, long), one after the other, and ends with the plain line "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
case " $* " in
  *" real "* | *" long "*)
    echo "keyward: seeing that the parts for tests on real processes are there (hack/parts.sh)"
    # what is missing fails the tests that need it, with the reason
    bash hack/parts.sh all || echo "keyward: not every part could be fetched (see above)" >&2
    ;;
esac
case " $* " in
  *" cluster "* | *" long "*)
    echo "keyward: seeing that a Kubernetes control plane for tests is there (hack/kube.sh)"
    began=$SECONDS
    bash hack/kube.sh all || echo "keyward: not all of Kubernetes could be built (see above)" >&2
    echo "keyward: the control plane is there after $((SECONDS - began)) s"
    ;;
esac

# run_tests REPORT PROJECT [FILE ...]
run_tests() {
  # what fails outside of any test is counted beside the report
  export OUTSIDE_ERRORS=$reports/$1.outside
  local report=$1 project=$2
  shift 2
  npm run --silent vitest -- run --project "$project" --reporter=default --reporter=json --outputFile.json="$reports/$report.json" \
    --reporter=./hack/outside-errors.ts "$@" || true
}

# one after the other: tests on an API server share the processors with nothing else
for project in "$@"; do
  echo "keyward: tests of project $project"
  began=$SECONDS
  run_tests "$project" "$project"
  mapfile -t again < <(npm run --silent node -- hack/second-try.ts "$project" "$reports/$project.json")
  if [ "${#again[@]}" -gt 0 ]; then
    echo "keyward: once more, alone (docs/decisions/0060): ${again[*]}"
    run_tests "$project.again" "$project" --no-file-parallelism "${again[@]}"
  fi
  echo "keyward: project $project took $((SECONDS - began)) s"
done
npm run --silent node -- hack/count-tests.ts "$reports" "$@"
