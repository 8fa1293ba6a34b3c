# What the other parts share: where things are, and how to say, wait and fill in.
# shellcheck shell=bash disable=SC2034

say() { printf 'cluster %4ds  %s\n' "$((SECONDS - START))" "$*" >&2; }
die() { say "error: $*" && exit 1; }

# Where the cluster of this name keeps its things.
paths() {
  NAME=$1
  [[ $NAME =~ ^[a-z0-9]{1,12}$ ]] || die "cluster name '$NAME': use 1 to 12 lower-case letters and digits"
  [[ $ROOT != *[[:space:]]* ]] || die "the checkout's path '$ROOT' has a space, which kwokctl can't handle: move the checkout"
  STATE=$HOME_DIR/clusters/$NAME
  LOGS=$HOME_DIR/logs/$NAME
  ID=$NAME-$CHECKOUT
  RUN=/run/maptask-$ID # short, since the path of a unix socket has at most 108 bytes
  PKI=$STATE/kwok/clusters/$NAME/pki
  LINK=mt$(printf '%s' "$ID" | sha256sum | cut -c1-8)
  export KWOK_WORKDIR=$STATE/kwok
  export KUBECONFIG=$STATE/kwok/clusters/$NAME/kubeconfig.yaml
  read_network
}

kubectl() { "$BIN/kubectl" "$@"; }

# wait_for WHAT SECONDS COMMAND…: until the command succeeds.
wait_for() {
  local what=$1 seconds=$2 end
  shift 2
  end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || die "$what is not there after $seconds s; logs are in $LOGS"
    sleep 0.3
  done
}

# A port that nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port" && return
    fi
  done
}

# fill FILE [NAME=VALUE…]: the template with @NAME@ replaced.
fill() {
  local text pair
  text=$(cat "$HERE/config/$1")
  shift
  for pair in "NAME=$NAME" "ID=$ID" "STATE=$STATE" "RUN=$RUN" "BIN=$BIN" "PKI=$PKI" \
    "POD_SUBNET=$POD_SUBNET" "SERVICE_SUBNET=$SERVICE_SUBNET" "HOST_ADDRESS=$HOST_ADDRESS" "NODE_ADDRESS=$NODE_ADDRESS" \
    "API_ADDRESS=$API_ADDRESS" "DNS_ADDRESS=$DNS_ADDRESS" "$@"; do
    text=${text//@${pair%%=*}@/${pair#*=}}
  done
  printf '%s\n' "$text"
}

# Whether the process runs one of the cluster's programs and its command line names one of our paths. Both: who only
# reads our logs, or calls this script with such a path, is not ours to end.
is_ours() {
  local exe cmdline
  exe=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
  exe=${exe% (deleted)}
  case ${exe##*/} in
    etcd | kube-apiserver | kube-controller-manager | kube-scheduler | kwok | kwok-controller | kubelet | kube-proxy | coredns | containerd | containerd-shim-runc-v2 | runc) ;;
    *) return 1 ;;
  esac
  cmdline=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") || return 1
  [[ $cmdline == *"$STATE/"* || $cmdline == *"$RUN/"* ]]
}

# The file with the pid of a component, if it runs.
pid_file() {
  local file
  for file in "$STATE/pids/$1.pid" "$STATE/kwok/clusters/$NAME/pids/$1.pid"; do
    if [[ -f $file ]] && is_ours "$(<"$file")"; then echo "$file" && return; fi
  done
  return 1
}

# The pid of a component, if it runs.
component_pid() {
  local file
  file=$(pid_file "$1") && echo "$(<"$file")"
}

# Whether everything that was started runs: without a scheduler the API server answers, and no pod ever starts.
is_healthy() {
  local component parts=(etcd kube-apiserver kube-controller-manager kube-scheduler kwok-controller)
  [[ -f $KUBECONFIG ]] || return 1
  if has_node; then parts+=(containerd kubelet kube-proxy coredns); fi
  for component in "${parts[@]}"; do component_pid "$component" >/dev/null || return 1; done
  kubectl get --raw /readyz --request-timeout=3s >/dev/null 2>&1
}

# Whether this cluster was given a real node.
has_node() { [[ -e $STATE/kubelet.yaml ]]; }
