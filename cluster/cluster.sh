#!/usr/bin/env bash
# A real Kubernetes on this machine: control plane, fake nodes, and one real node.
#
#   cluster.sh tools                    install and build what is needed
#   cluster.sh up [options]             start a cluster, or say that it runs
#   cluster.sh load FILE.tar [NAME]     import an image archive into the real node
#   cluster.sh kubeconfig|status [NAME]
#   cluster.sh pid COMPONENT [NAME]     etcd, kube-apiserver, kubelet, containerd, …
#   cluster.sh restart COMPONENT [NAME [FLAG...]]  end it and start it again, with further flags
#   cluster.sh down [NAME|--all]        end it and leave nothing running
#
# Options of up: --name NAME (default maptask), --fake-nodes N (2), --no-real-node, --unlimited-qps.
# All state is under target/cluster, sockets and the real node's network namespace under /run/maptask-NAME-CHECKOUT.
# The API server listens on all addresses of this machine, and lets in only who has its certificates or tokens.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/.." && pwd)
HOME_DIR=$ROOT/target/cluster
BIN=$HOME_DIR/bin
START=$SECONDS
# Clusters of the same name in two checkouts don't meet.
CHECKOUT=$(printf '%s' "$ROOT" | sha256sum | cut -c1-6)

# shellcheck source=lib/common.sh
source "$HERE/lib/common.sh"
# shellcheck source=lib/tools.sh
source "$HERE/lib/tools.sh"
# shellcheck source=lib/network.sh
source "$HERE/lib/network.sh"
# shellcheck source=lib/control-plane.sh
source "$HERE/lib/control-plane.sh"
# shellcheck source=lib/node.sh
source "$HERE/lib/node.sh"
# shellcheck source=lib/down.sh
source "$HERE/lib/down.sh"
# shellcheck source=lib/restart.sh
source "$HERE/lib/restart.sh"

up() {
  local name=maptask fake_nodes=2 real_node=true unlimited_qps=false
  while (($#)); do
    case $1 in
      --name) name=$2 && shift ;;
      --fake-nodes) fake_nodes=$2 && shift ;;
      --no-real-node) real_node=false ;;
      --unlimited-qps) unlimited_qps=true ;;
      *) die "unknown option $1; see the head of $0" ;;
    esac
    shift
  done
  paths "$name"
  tools
  if is_healthy; then
    # What it lacks is added: starting anew would lose what is in it.
    if [[ $real_node == true ]] && ! has_node; then
      start_node
      wait_for_node
    fi
    if ((fake_nodes > $(count_fake_nodes))); then start_fake_nodes "$fake_nodes"; fi
    say "cluster $name runs: KUBECONFIG=$KUBECONFIG"
    return
  fi
  if [[ -e $STATE || -e $RUN ]]; then
    say "cluster $name is there but not healthy: starting it anew"
    down "$name"
  fi
  mkdir -p "$STATE" "$RUN" "$LOGS"
  choose_network
  start_control_plane "$unlimited_qps"
  if [[ $real_node == true ]]; then start_node; fi
  if ((fake_nodes > 0)); then start_fake_nodes "$fake_nodes"; fi
  wait_for "the default service account" 60 kubectl -n default get serviceaccount default
  if [[ $real_node == true ]]; then wait_for_node; fi
  say "cluster $name is up: KUBECONFIG=$KUBECONFIG"
}

# Two at once would start the same cluster twice, or build the tools over each other. --close: what is started must not hold the lock.
alone() {
  [[ -z ${CLUSTER_LOCKED:-} ]] || return 0
  mkdir -p "$HOME_DIR"
  CLUSTER_LOCKED=1 exec flock --close "$HOME_DIR/lock" "$HERE/cluster.sh" "$@"
}

main() {
  case ${1:-} in tools | up | down) alone "$@" ;; esac
  local command=${1:-}
  shift || true
  case $command in
    tools) tools ;;
    up) up "$@" ;;
    load) paths "${2:-maptask}" && load_image "$1" ;;
    kubeconfig) paths "${1:-maptask}" && echo "$KUBECONFIG" ;;
    status) paths "${1:-maptask}" && if is_healthy; then echo "up"; else echo "down" && exit 1; fi ;;
    pid) paths "${2:-maptask}" && component_pid "$1" ;;
    restart) paths "${2:-maptask}" && restart "$1" "${@:3}" ;;
    down) if [[ ${1:-maptask} == --all ]]; then down_all; else down "${1:-maptask}"; fi ;;
    *) sed -n '2,16p' "$0" && exit 2 ;;
  esac
}

main "$@"
