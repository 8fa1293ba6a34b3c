# What the scripts share: where things are, which cluster is meant, and how to speak.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit
NAMESPACE=maptask-system
IMAGES=$ROOT/target/image
LABEL=${LABEL:-$(basename "$0" .sh)}
CLUSTER=${CLUSTER:-local}

say() { printf '%-6s %4ds  %s\n' "$LABEL" "$SECONDS" "$*" >&2; }
die() { say "error: $*" && exit 1; }

# The version of everything that this repository makes.
version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml; }

# Starts the local cluster, or takes the current one, and sets KUBECONFIG, KUBECTL and HELM.
use_cluster() {
  case $CLUSTER in
    local)
      cluster/cluster.sh up
      KUBECONFIG=$(cluster/cluster.sh kubeconfig)
      export KUBECONFIG KUBECTL=$ROOT/target/cluster/bin/kubectl HELM=$ROOT/target/cluster/bin/helm
      ;;
    current)
      export KUBECTL=kubectl HELM=helm
      command -v kubectl >/dev/null || die "kubectl is missing: install it, or leave out CLUSTER=current"
      command -v helm >/dev/null || die "helm is missing: install it, or leave out CLUSTER=current"
      kubectl version >/dev/null 2>&1 || die "the cluster of KUBECONFIG (${KUBECONFIG:-~/.kube/config}) does not answer"
      [[ -n ${IMAGE_PREFIX:-} ]] ||
        die "CLUSTER=current needs IMAGE_PREFIX: the registry folder that maptask-operator and image-augmentation were pushed to (make image, scripts/image.sh image-augmentation)"
      ;;
    *) die "CLUSTER=$CLUSTER: use local or current" ;;
  esac
}

# needs_cargo: Rust, or a line that says so.
needs_cargo() {
  command -v cargo >/dev/null || die "Rust is missing: install it with rustup (1.95 or newer)"
}

# needs_browser: the browser of the page's tests; CHROMIUM names another one.
needs_browser() {
  command -v "${CHROMIUM:-chromium}" >/dev/null && return
  [[ -z ${CHROMIUM:-} ]] || die "CHROMIUM=$CHROMIUM is no program"
  install_package chromium "chromium is missing: install it, or set CHROMIUM"
}

# install_package NAME WHAT-IS-MISSING: a package of Debian, for root; others get the words.
install_package() {
  { ((EUID == 0)) && command -v apt-get >/dev/null; } || die "$2"
  say "installing $1"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"; } >/dev/null 2>&1 ||
    die "$1 can't be installed: apt-get install $1"
}

# needs_chart_tools: helm and kubectl of the local cluster, and what scripts/tools names, in target/tools/bin; sets HELM and KUBECTL.
needs_chart_tools() {
  local stamp=$ROOT/target/tools/chart.stamp wanted
  cluster/cluster.sh tools
  HELM=$ROOT/target/cluster/bin/helm KUBECTL=$ROOT/target/cluster/bin/kubectl
  wanted=$(cat scripts/tools/go.mod scripts/tools/go.sum | sha256sum)
  [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]] || return 0
  say "building helm-docs and helm-unittest with Go: a minute and a half of CPU, once"
  mkdir -p "$ROOT/target/tools/bin"
  (cd scripts/tools && GOBIN=$ROOT/target/tools/bin go install tool) >"$ROOT/target/chart-tools.log" 2>&1 ||
    die "the tools of scripts/tools can't be built: see target/chart-tools.log"
  echo "$wanted" >"$stamp"
}

# needs_prometheus: promtool and prometheus; sets PROMTOOL and PROMETHEUS. Unpacked from Debian's package and not installed,
# since that would start a server. promtool alone takes five minutes to build.
needs_prometheus() {
  local folder=$ROOT/target/tools/prometheus
  PROMTOOL=$folder/usr/bin/promtool PROMETHEUS=$folder/usr/bin/prometheus
  export PROMETHEUS
  [[ ! -x $PROMTOOL || ! -x $PROMETHEUS ]] || return 0
  command -v apt-get >/dev/null || die "apt-get is missing: unpack Debian's package prometheus into $folder"
  say "unpacking Debian's package prometheus into target/tools: 20 MB, once"
  rm -rf "$folder.new"
  mkdir -p "$folder.new"
  (cd "$folder.new" && { ((EUID != 0)) || apt-get update; } && apt-get download prometheus && dpkg -x prometheus_*.deb .) \
    >"$ROOT/target/prometheus.log" 2>&1 || die "no package prometheus: see target/prometheus.log"
  rm -rf "$folder"
  mv "$folder.new" "$folder"
}

# needs_crate NAME VERSION [OPTION...]: a program of crates.io, in target/tools/bin; with options of `cargo install`. Built
# without optimization: each runs for seconds, and to optimize it takes minutes.
needs_crate() {
  local name=$1 version=$2
  shift 2
  # Cargo's own list of what it has installed there.
  ! grep -qsF "\"$name $version " target/tools/.crates.toml || return 0
  say "$name $version is installed into target/tools: two minutes of CPU, once"
  mkdir -p target
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --quiet --locked --version "$version" --root target/tools "$@" "$name" \
    2>"target/$name.log" || die "$name can't be built: see target/$name.log"
}

# needs_kueue: Kueue and the CRDs of its module; sets KUEUE. Its certificate can be nowhere else, even where it is for nothing.
needs_kueue() {
  local version=v0.17.0 folder certs=/etc/kueue/metrics/certs
  folder=$ROOT/target/tools/kueue-$version
  export KUEUE=$folder/kueue
  if [[ ! -x $KUEUE ]]; then
    say "building Kueue with Go: three and a half minutes of CPU, once"
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && GOBIN=$folder go install "sigs.k8s.io/kueue/cmd/kueue@$version" &&
      cp -r "$(go env GOMODCACHE)/sigs.k8s.io/kueue@$version/config/components/crd/bases" crds && chmod -R u+w crds) \
      >"$ROOT/target/kueue.log" 2>&1 || die "Kueue can't be built: see target/kueue.log"
  fi
  [[ ! -f $certs/tls.crt ]] || return 0
  mkdir -p "$certs" || die "$certs can't be made: run this as root"
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=kueue -keyout "$certs/tls.key" -out "$certs/tls.crt" \
    >"$ROOT/target/kueue.log" 2>&1 || die "no certificate for Kueue: see target/kueue.log"
}

# load_image NAME PACKAGE: built, and where the local cluster's node finds it. A cluster that is given pulls what was pushed.
load_image() {
  [[ $CLUSTER == local ]] || return 0
  scripts/image.sh "$1" --archive "$IMAGES/$2.tar"
  cluster/cluster.sh load "$IMAGES/$2.tar"
}

# own_cluster NAME [OPTION...]: a local cluster with the CRD, which ends with the script; sets KUBECONFIG and KUBECTL.
own_cluster() {
  # shellcheck disable=SC2064 # the name of now
  trap "cluster/cluster.sh down '$1'" EXIT
  cluster/cluster.sh up --name "$@"
  KUBECONFIG=$(cluster/cluster.sh kubeconfig "$1")
  export KUBECONFIG KUBECTL=$ROOT/target/cluster/bin/kubectl
  "$KUBECTL" apply -f crds/maptasks.yaml >/dev/null
  # kubectl takes it for an error if there are no conditions yet.
  local established=(wait --for=condition=Established crd/maptasks.maptask.dev --timeout=60s)
  "$KUBECTL" "${established[@]}" >/dev/null 2>&1 || { sleep 1 && "$KUBECTL" "${established[@]}" >/dev/null; }
}
