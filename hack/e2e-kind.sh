#!/usr/bin/env bash
# Runs the tests of Keyward on Kubernetes against a cluster of kind, which is made for them and removed afterwards.
# Tests that kill, stop or look into the API server's own processes are left out (vitest.config.ts): they need one that is theirs.
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/cache.sh

missing=()
for name in docker kind; do command -v "$name" >/dev/null || missing+=("$name"); done
[ ${#missing[@]} = 0 ] || fail "make e2e-kind needs ${missing[*]} in PATH; make test runs the same tests without"
docker info >/dev/null 2>&1 || fail "make e2e-kind needs a Docker that it may talk to: docker info fails"

name=keyward-e2e
config=$(mktemp)
trap 'kind delete cluster --name "$name" >&2; rm -f "$config"' EXIT
kind create cluster --name "$name" --kubeconfig "$config" --wait 120s >&2
# the tests answer the webhooks, and the API server reaches them where Docker's network ends
host=$(docker network inspect kind -f '{{range .IPAM.Config}}{{.Gateway}} {{end}}' | tr ' ' '\n' | grep -m1 -F .)
TEST_KIND_CONFIG=$config TEST_KIND_HOST=$host bash hack/test.sh cluster
