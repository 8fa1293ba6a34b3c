#!/usr/bin/env bash
# Builds kubectl-maptask as a static binary, an archive of it, and a manifest for krew that names the archive.
#
#   cli.sh [URL]   URL is where the archive will be downloaded from; it stands in the manifest.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

needs_cargo
triple=$(rustc -vV | sed -n 's/^host: //p')
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
case $triple in
  x86_64-*) arch=amd64 ;;
  aarch64-*) arch=arm64 ;;
  *) die "$triple: only x86_64 and aarch64 are known" ;;
esac
out=$ROOT/target/cli
archive=kubectl-maptask-$version-linux-$arch.tar.gz
say "building kubectl-maptask as a static binary"
RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --quiet --package maptask-cli --target "$triple"
mkdir -p "$out"
cp "${CARGO_TARGET_DIR:-target}/$triple/release/kubectl-maptask" LICENSE "$out/"
tar -C "$out" -czf "$out/$archive" kubectl-maptask LICENSE
sum=$(sha256sum "$out/$archive" | cut -d ' ' -f 1)
url=${1:-file://$out/$archive}
sed -e "s|VERSION|$version|; s|ARCH|$arch|; s|URL|$url|; s|SHA256|$sum|" cli/krew.yaml >"$out/maptask.yaml"
say "target/cli has kubectl-maptask, $archive and maptask.yaml (kubectl krew install --manifest target/cli/maptask.yaml --archive target/cli/$archive)"
