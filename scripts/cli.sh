#!/usr/bin/env bash
# Builds kubectl-maptask as a static binary, an archive of it, and a manifest for krew that names the archive.
#
#   cli.sh [URL]   URL is the folder from which the archive will be downloaded; it stands in the manifest.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=pack.sh
source scripts/pack.sh

needs_cargo
triple=$(rustc -vV | sed -n 's/^host: //p')
case $triple in
  x86_64-*) arch=amd64 ;;
  aarch64-*) arch=arm64 ;;
  *) die "$triple: only x86_64 and aarch64 are known" ;;
esac
out=$ROOT/target/cli
archive=kubectl-maptask-$(version)-linux-$arch.tar.gz
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
say "building kubectl-maptask as a static binary"
RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --quiet --package maptask-cli --target "$triple"
mkdir -p "$out"
cp "${CARGO_TARGET_DIR:-target}/$triple/release/kubectl-maptask" LICENSE "$out/"
pack "$out/$archive" "$out" kubectl-maptask LICENSE
krew_manifest "${1:-file://$out}" "$out/$archive" >"$out/maptask.yaml"
say "target/cli has kubectl-maptask, $archive and maptask.yaml (kubectl krew install --manifest target/cli/maptask.yaml --archive target/cli/$archive)"
