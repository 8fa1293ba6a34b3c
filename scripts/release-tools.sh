# What `make release` needs beside Rust, in target/tools: zig to compile and link for both architectures, cargo-cyclonedx
# for bills of materials, Helm, and buildah from the machine.
# shellcheck shell=bash

CARGO_CYCLONEDX=0.5.9

# needs_helm: Helm of the local cluster's module; sets HELM. The cluster itself is not needed.
needs_helm() {
  HELM=$ROOT/target/cluster/bin/helm
  [[ ! -x $HELM ]] || return 0
  HELM=$ROOT/target/tools/bin/helm
  [[ ! -x $HELM ]] || return 0
  command -v go >/dev/null || die "Go is missing: install Go 1.26 or newer (it builds Helm)"
  say "building Helm with Go: two minutes, once"
  (cd cluster/tools && CGO_ENABLED=0 GOBIN=$ROOT/target/tools/bin go install -trimpath helm.sh/helm/v4/cmd/helm) \
    >"$ROOT/target/helm.log" 2>&1 || die "Helm can't be built: see target/helm.log"
}

# needs_zig: zig and cargo-zigbuild, as PyPI has them.
needs_zig() {
  local stamp=$ROOT/target/tools/zig.stamp wanted
  wanted=$(sha256sum <scripts/release/requirements.txt)
  [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]] || return 0
  python3 -m pip --version >/dev/null 2>&1 || install_package python3-pip "python3 with pip is missing: install it"
  say "unpacking zig into target/tools: 90 MB, once"
  rm -rf target/tools/zig
  python3 -m pip install --quiet --require-hashes --only-binary :all: --target target/tools/zig \
    --requirement scripts/release/requirements.txt >target/zig.log 2>&1 || die "zig can't be installed from PyPI: see target/zig.log"
  echo "$wanted" >"$stamp"
}

needs_release_tools() {
  local arch
  needs_cargo
  command -v rustup >/dev/null || die "rustup is missing: it has the standard library for the other architecture"
  for arch in "${ARCHITECTURES[@]}"; do
    rustup --quiet target add "$(triple "$arch")" || die "rustup has no standard library for $(triple "$arch")"
  done
  command -v buildah >/dev/null || install_package buildah "buildah is missing: install it"
  mkdir -p target/tools
  needs_zig
  needs_helm
  needs_crate cargo-cyclonedx "$CARGO_CYCLONEDX"
}
