#!/usr/bin/env bash
# Prints the path of an executable of a real Kubernetes control plane, and builds it into the cache first where it is not there yet.
# What lies in KUBEBUILDER_ASSETS or in PATH is used where its version has the first two numbers of the one below; anything else is
# built from its Go module, which for all five takes about 8 minutes and 4 GB of Go's own caches on two cores, once.
#   bash hack/kube.sh NAME...   prints a path per line
#   bash hack/kube.sh all       sees to every one of them and prints nothing
set -euo pipefail
shopt -s inherit_errexit
hack=$(cd "$(dirname "$0")" && pwd)
. "$hack/cache.sh"

kubernetes=v1.36.3
etcd=v3.6.16
helm=v4.3.1
# what the newest of them asks for
go=1.26.0
names=(etcd kube-apiserver kube-controller-manager kubectl helm)

usage() { fail "usage: bash hack/kube.sh all | NAME...; a NAME is one of: ${names[*]}"; }

version_of() {
  case $1 in
    etcd) echo "$etcd" ;;
    helm) echo "$helm" ;;
    *) echo "$kubernetes" ;;
  esac
}

# Where the executable is once it is built.
path_of() {
  case $1 in
    etcd) echo "$cache/etcd-$etcd/etcd" ;;
    helm) echo "$cache/helm-$helm/helm" ;;
    *) echo "$cache/kubernetes-$kubernetes/$1" ;;
  esac
}

# What an executable says of itself: v1.36.3
said_version() {
  local -a ask=(--version)
  case $1 in
    kubectl) ask=(version --client) ;;
    helm) ask=(version --short) ;;
  esac
  "$2" "${ask[@]}" 2>/dev/null | sed -nE 's/^[^0-9]*([0-9]+\.[0-9]+\.[0-9]+.*)$/v\1/p' | head -n 1
}

# Whether an executable is one that tests may run on: fits NAME PATH
fits() {
  local wanted said
  [ -x "$2" ] || return 1
  wanted=$(version_of "$1")
  said=$(said_version "$1" "$2" || true)
  case $said in "${wanted%.*}."*) return 0 ;; esac
  say "$2 is not used: it is ${said:-of a version that it does not say}, and ${wanted%.*} is wanted"
  return 1
}

found() {
  local name=$1 path
  if [ -n "${KUBEBUILDER_ASSETS:-}" ] && fits "$name" "$KUBEBUILDER_ASSETS/$name"; then
    echo "$KUBEBUILDER_ASSETS/$name"
    return
  fi
  path=$(path_of "$name")
  if [ -x "$path" ]; then
    echo "$path"
    return
  fi
  path=$(command -v "$name" || true)
  if [ -n "$path" ] && fits "$name" "$path"; then
    echo "$path"
    return
  fi
  # one after the other: a build takes every core
  locked kube build "$name" >&2
  path_of "$name"
}

# --- Go modules. Go's own caches of the machine are used, so that the next version builds what changed only.

build() {
  local path tool start=$SECONDS
  path=$(path_of "$1")
  if [ -x "$path" ]; then return; fi
  work_folder
  tool=$(bash "$hack/go.sh" "$go")
  say "building $1 $(version_of "$1") from its Go module (minutes the first time)"
  mkdir "$work/module"
  case $1 in
    etcd)
      of_module "go.etcd.io/etcd/server/v3@$etcd"
      compile etcd go.etcd.io/etcd/server/v3 ""
      ;;
    helm)
      of_module "helm.sh/helm/v4@$helm"
      compile helm helm.sh/helm/v4/cmd/helm "-X helm.sh/helm/v4/internal/version.version=$helm"
      ;;
    *)
      of_kubernetes
      compile "$1" "k8s.io/kubernetes/cmd/$1" "$(kubernetes_flags)"
      ;;
  esac
  put "$work/$1" "$path"
  say "$1 is there after $((SECONDS - start)) s, $(($(stat -c %s "$path") >> 20)) MiB"
}

run_go() { GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 "$tool" "$@"; }

# An empty module that requires one: `go install NAME@VERSION` refuses those that replace modules themselves (Kubernetes, etcd).
of_module() {
  printf 'module keyward.dev/control-plane\n\ngo %s\n\nrequire %s %s\n' "$go" "${1%@*}" "${1#*@}" >"$work/module/go.mod"
}

# What Kubernetes replaces by folders of its repository is published as modules v0.x.
of_kubernetes() {
  of_module "k8s.io/kubernetes@$kubernetes"
  local answer mod
  answer=$(cd "$work" && run_go mod download -json "k8s.io/kubernetes@$kubernetes") || fail "go could not fetch Kubernetes: $answer"
  mod=$(sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",*$/\1/p' <<<"$answer")
  sed -nE "s#^.*(k8s.io/[a-z-]+) => \./staging/.*#replace \1 => \1 v0.${kubernetes#v1.}#p" "$mod" >>"$work/module/go.mod"
}

kubernetes_flags() {
  local name minor=${kubernetes#v1.}
  for name in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    printf -- '-X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s -X %s.gitTreeState=clean ' \
      "$name" "$kubernetes" "$name" "$name" "${minor%%.*}" "$name"
  done
}

# compile NAME PACKAGE LINKER-FLAGS
compile() {
  (cd "$work/module" && run_go build -mod=mod -trimpath -ldflags "-s -w $3" -o "$work/$1" "$2") >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; fail "go could not build $1 (see above); it needs a Go module proxy that it can reach"; }
}

[ $# -gt 0 ] || usage
if [ "$*" = all ]; then
  for name in "${names[@]}"; do found "$name" >/dev/null; done
  exit
fi
for name in "$@"; do
  case " ${names[*]} " in *" $name "*) ;; *) usage ;; esac
done
for name in "$@"; do found "$name"; done
