#!/usr/bin/env bash
# Prints the folder of the schemas by which tests judge the shipped manifests, and fetches them into the cache first where they are not
# there yet: custom resource definitions and protobuf files out of the Go modules of their projects. Nothing of them is run.
set -euo pipefail
shopt -s inherit_errexit
hack=$(cd "$(dirname "$0")" && pwd)
. "$hack/cache.sh"

# brings the definitions of Gateway API v1.6.1 (experimental channel) along: the module of v1.7.0 asks for a newer Go
gateway=github.com/envoyproxy/gateway@v1.9.1
istio=istio.io/api@v1.31.1
traefik=github.com/traefik/traefik/v3@v3.7.13
# Kubernetes' own kinds
kubernetes=k8s.io/api@v0.35.0
machinery=k8s.io/apimachinery@v0.35.0
# what the newest of them asks for
go=1.26.7

folder=$cache/schemas-$(printf '%s' "$gateway $istio $traefik $kubernetes $machinery" | cksum | cut -d ' ' -f 1)

# The folder of a module: module NAME@VERSION
module() {
  local answer
  answer=$(cd "$work" && GOTOOLCHAIN=local GOFLAGS=-modcacherw GOPATH=$work/path "$tool" mod download -json "$1") ||
    fail "go could not fetch $1: $answer"
  sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p' <<<"$answer"
}

fetch() {
  # another process may have fetched them meanwhile
  if [ -d "$folder" ]; then return; fi
  work_folder
  say "fetching the schemas of manifests (five Go modules, about 20 MB)"
  tool=$(bash "$hack/go.sh" "$go")
  local from to=$work/schemas
  mkdir -p "$to/crds" "$to/proto"

  from=$(module "$gateway")
  cp "$from"/charts/gateway-helm/charts/crds/crds/gatewayapi-crds.yaml "$to/crds/gateway-api.yaml"
  cp "$from"/charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_{securitypolicies,clienttrafficpolicies}.yaml "$to/crds/"

  from=$(module "$istio")
  cp "$from/kubernetes/customresourcedefinitions.gen.yaml" "$to/crds/istio.yaml"
  cp -r "$from"/{mesh,networking,type,common-protos} "$to/proto/"

  from=$(module "$traefik")
  cp "$from/docs/content/reference/dynamic-configuration/traefik.io_middlewares.yaml" "$to/crds/"

  # their files name one another by these paths
  for name in "$kubernetes" "$machinery"; do
    from=$(module "$name")
    mkdir -p "$to/proto/${name%@*}"
    cp -r "$from/." "$to/proto/${name%@*}/"
  done
  find "$to/proto" -type f ! -name '*.proto' -delete
  find "$to/proto" -type d -empty -delete

  chmod -R u+w "$to"
  mv -T "$to" "$folder"
}

if [ ! -d "$folder" ]; then locked schemas fetch >&2; fi
echo "$folder"
