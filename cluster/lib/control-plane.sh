# etcd, API server, controller manager, scheduler, and the nodes that kwok plays.
# shellcheck shell=bash

# start_control_plane UNLIMITED_QPS
start_control_plane() {
  local port
  port=$(free_port)
  fill kwok.yaml "API_PORT=$port" "UNLIMITED_QPS=$1" >"$STATE/kwok.yaml"
  say "starting the control plane on 127.0.0.1:$port"
  if ! "$BIN/kwokctl" create cluster --name "$NAME" --config "$STATE/kwok.yaml" --wait 60s >"$LOGS/kwokctl.log" 2>&1; then
    die "the control plane does not start; see $LOGS/kwokctl.log"
  fi
  # One place for all logs.
  ln -sfn "$KWOK_WORKDIR/clusters/$NAME/logs" "$LOGS/control-plane"
}

# start_fake_nodes NUMBER
start_fake_nodes() {
  say "adding $1 fake nodes"
  "$BIN/kwokctl" scale node --name "$NAME" --config "$STATE/kwok.yaml" --replicas "$1" >>"$LOGS/kwokctl.log" 2>&1 ||
    die "no fake nodes; see $LOGS/kwokctl.log"
}

count_fake_nodes() { kubectl get nodes --selector type=kwok --output name | wc -l; }
