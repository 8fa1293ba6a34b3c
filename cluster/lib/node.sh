# One real node: containerd, kubelet, kube-proxy, DNS, and the images that no registry gives.
# shellcheck shell=bash

start_node() {
  mkdir -p "$STATE/pids" "$STATE/cni" "$STATE/kubelet"
  fill containerd.toml >"$STATE/containerd.toml"
  fill cni.conflist >"$STATE/cni/10-maptask.conflist"
  fill kubelet.yaml >"$STATE/kubelet.yaml"
  fill kube-proxy.yaml >"$STATE/kube-proxy.yaml"
  fill Corefile >"$STATE/Corefile"
  fill dns.yaml >"$STATE/dns.yaml"
  # The node has a loopback of its own.
  sed "s|https://127.0.0.1:|https://$HOST_ADDRESS:|" "$KUBECONFIG" >"$STATE/node-kubeconfig.yaml"
  start_network
  make_cgroup
  say "starting containerd"
  start containerd "$BIN/containerd" --config "$STATE/containerd.toml"
  wait_for containerd 30 ctr version
  make_images
  say "starting the kubelet"
  start kubelet "$BIN/kubelet" --config "$STATE/kubelet.yaml" --kubeconfig "$STATE/node-kubeconfig.yaml" \
    --root-dir "$STATE/kubelet" --cert-dir "$STATE/kubelet/pki" --hostname-override localhost --node-ip "$NODE_ADDRESS"
  say "starting kube-proxy and CoreDNS"
  start kube-proxy "$BIN/kube-proxy" --config "$STATE/kube-proxy.yaml"
  start coredns "$BIN/coredns" -conf "$STATE/Corefile"
  wait_for "the Service kube-dns" 60 kubectl apply -f "$STATE/dns.yaml"
}

wait_for_node() {
  wait_for "the real node" 60 kubectl wait --for=condition=Ready node/localhost --timeout=1s
  wait_for kube-proxy 60 answers "$NODE_ADDRESS" 10256 /healthz
  wait_for CoreDNS 60 answers "$NODE_ADDRESS" 8181 /ready
}

# start COMPONENT COMMAND…: in the background, in a session of its own, in the node's network.
start() {
  local component=$1
  shift
  PATH=$BIN:$PATH setsid nsenter --net="$RUN/netns" "$@" >"$LOGS/$component.log" 2>&1 </dev/null &
  echo $! >"$STATE/pids/$component.pid"
}

ctr() { "$BIN/ctr" --address "$RUN/containerd.sock" --namespace k8s.io "$@"; }

# The same, for a containerd that may hang.
ctr_quickly() { timeout 10 "$BIN/ctr" --address "$RUN/containerd.sock" --namespace k8s.io "$@"; }

load_image() {
  [[ -f $1 ]] || die "no such file: $1"
  say "loading $(basename "$1") into the real node"
  ctr images import --local "$1" >>"$LOGS/images.log" 2>&1 || die "the image can't be imported; see $LOGS/images.log"
}

# The kubelet's own branch, so that clusters side by side don't meet.
make_cgroup() {
  local hierarchy
  for hierarchy in /sys/fs/cgroup/*/; do
    if [[ -e ${hierarchy}cgroup.procs && ! -L ${hierarchy%/} ]]; then mkdir -p "${hierarchy}maptask-$ID"; fi
  done
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then mkdir -p "/sys/fs/cgroup/maptask-$ID"; fi
  # A cpuset without CPUs takes no process.
  local cpuset=/sys/fs/cgroup/cpuset
  if [[ -e $cpuset/maptask-$ID/cpuset.cpus ]]; then
    cat "$cpuset/cpuset.cpus" >"$cpuset/maptask-$ID/cpuset.cpus"
    cat "$cpuset/cpuset.mems" >"$cpuset/maptask-$ID/cpuset.mems"
  fi
}

# busybox, which the examples run, and the pause image, both from Debian's static busybox. That one's wget crashes when it
# resolves a name, and its shell prefers it: scripts call /bin/wget.
make_images() {
  local archive=$HOME_DIR/images/busybox.tar
  if [[ ! -f $archive || $BIN/busybox-wget -nt $archive ]]; then
    mkdir -p "$HOME_DIR/images"
    make_archive docker.io/library/busybox:1.36 '["sh"]' "$archive"
    make_archive docker.io/library/pause:local '["sleep","2147483647"]' "$HOME_DIR/images/pause.tar"
  fi
  load_image "$archive"
  load_image "$HOME_DIR/images/pause.tar"
}

# make_archive IMAGE CMD FILE: an image of busybox and this wget.
make_archive() {
  local dir digest applet arch
  dir=$(mktemp -d)
  mkdir -p "$dir/root/bin" "$dir/root/tmp" "$dir/root/etc" "$dir/image"
  chmod 1777 "$dir/root/tmp"
  cp "$(command -v busybox)" "$dir/root/bin/busybox"
  for applet in $(busybox --list); do
    [[ $applet == busybox || $applet == wget ]] || ln -s busybox "$dir/root/bin/$applet"
  done
  cp "$BIN/busybox-wget" "$dir/root/bin/wget"
  echo 'root:x:0:0:root:/:/bin/sh' >"$dir/root/etc/passwd"
  tar -C "$dir/root" --sort=name --owner=0 --group=0 --numeric-owner -cf "$dir/image/layer.tar" .
  digest=$(sha256sum "$dir/image/layer.tar" | cut -d' ' -f1)
  arch=$(dpkg --print-architecture)
  cat >"$dir/image/config.json" <<JSON
{"architecture":"$arch","os":"linux","config":{"Cmd":$2,"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:$digest"]}}
JSON
  echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$1\"],\"Layers\":[\"layer.tar\"]}]" >"$dir/image/manifest.json"
  tar -C "$dir/image" -cf "$3" manifest.json config.json layer.tar
  rm -rf "$dir"
}
