# Thin: the work is done by scripts of package.json and hack/.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help
NPM := npm run --silent

.PHONY: help run cluster test quick check fmt crds bench test-long e2e-kind

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: node_modules ## Start the licensing example: an API protected by keys, with curl lines to paste
	@$(NPM) node -- hack/run-example.ts

cluster: node_modules ## Start a Kubernetes API server of your own with Keyward on it, and say how to try it
	@bash hack/kube.sh all
	@$(NPM) node -- hack/run-cluster.ts

test: node_modules ## Run every test that CI runs, on real parts
	@bash hack/test.sh quick real cluster

quick: node_modules ## Run the fast tests only (under 10 seconds, no network)
	@bash hack/test.sh quick

test-long: node_modules ## Run the long versions of the fault and scale tests
	@bash hack/test.sh long

e2e-kind: node_modules ## Run the tests of Keyward on Kubernetes against kind (needs Docker and kind)
	@bash hack/e2e-kind.sh

check: node_modules ## Lint, types, import rule
	@$(NPM) lint
	@$(NPM) types
	@$(NPM) vitest -- run --project quick test/rules --reporter=dot

fmt: node_modules ## Format everything and fix what can be fixed
	@$(NPM) fmt

crds: node_modules ## Write crds/ anew from the schemas
	@$(NPM) node -- hack/crds.ts

bench: node_modules ## Measure the figures of docs/performance.md, side by side with a ceiling
	@bash hack/bench.sh

node_modules: package.json package-lock.json
	@bash hack/install.sh
