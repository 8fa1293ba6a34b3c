# What the cluster is made of: Debian packages, and programs built from the Go module in cluster/tools.
# shellcheck shell=bash

PACKAGES=(runc containernetworking-plugins busybox-static iproute2 iptables python3)
PROGRAMS=(etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl
  coredns kwok kwokctl helm containerd containerd-shim-runc-v2 ctr busybox-wget)

tools() {
  install_packages
  local stamp wanted program missing=()
  wanted=$(cat "$HERE"/tools/go.{mod,sum} "$HERE"/tools/*/*.go | sha256sum | cut -d' ' -f1)
  stamp=$(cat "$BIN/stamp" 2>/dev/null || true)
  for program in "${PROGRAMS[@]}"; do
    [[ -x $BIN/$program ]] || missing+=("$program")
  done
  [[ $stamp == "$wanted" && ${#missing[@]} -eq 0 ]] && return
  build_programs
  echo "$wanted" >"$BIN/stamp"
}

install_packages() {
  local package missing=()
  for package in "${PACKAGES[@]}"; do
    # A package that was removed may still have its configuration there.
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    die "missing: ${missing[*]}; install them and run this as root (a kubelet needs it), or use your own cluster with CLUSTER=current"
  fi
  say "installing ${missing[*]}"
  mkdir -p "$HOME_DIR/logs"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
    >"$HOME_DIR/logs/apt.log" 2>&1 || die "apt-get failed; see $HOME_DIR/logs/apt.log"
}

build_programs() {
  command -v go >/dev/null || die "Go is missing: install Go 1.26 or newer (it builds Kubernetes from cluster/tools/go.mod)"
  local log=$HOME_DIR/logs/tools.log flags minor=37 version=v1.37.2 pid began=$SECONDS packages
  mkdir -p "$BIN" "$HOME_DIR/logs"
  flags="-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1"
  flags+=" -X k8s.io/component-base/version.gitMinor=$minor -X k8s.io/client-go/pkg/version.gitVersion=$version"
  say "building Kubernetes and its tools with Go: about 10 minutes on 2 cores the first time, seconds afterwards"
  (cd "$HERE/tools" && CGO_ENABLED=0 GOBIN=$BIN exec go install -v -trimpath -ldflags "$flags" tool) >"$log" 2>&1 &
  pid=$!
  while sleep 1 && kill -0 "$pid" 2>/dev/null; do
    if (((SECONDS - began) % 15 == 0)); then
      packages=$(grep -vc '^go: ' "$log" || true)
      say "… $packages packages compiled, $(find "$BIN" -type f -perm -u+x | wc -l) programs linked"
    fi
  done
  wait "$pid" || die "the Go build failed; see $log"
  # The package of etcd's program is called server.
  if [[ -x $BIN/server ]]; then mv "$BIN/server" "$BIN/etcd"; fi
}
