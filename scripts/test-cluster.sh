#!/usr/bin/env bash
# The tests of tests/cluster against the installed operator, but those with Kueue (scripts/test-kueue.sh). What is given
# goes to the test program: `-- NAME`.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/install.sh
use_cluster
load_image image-augmentation image-augmentation
load_image stream-model stream-model
say "building kubectl-maptask"
cargo build --quiet --locked --workspace --bin kubectl-maptask
KUBECTL_MAPTASK=$(realpath "${CARGO_TARGET_DIR:-target}")/debug/kubectl-maptask
export KUBECTL_MAPTASK
needs_browser
needs_prometheus
command -v lua5.4 >/dev/null || install_package lua5.4 "lua5.4 is missing: install it"
say "running the tests on the cluster"
cargo test --quiet --locked --workspace --test cluster -- --ignored --skip kueue:: --test-threads 4 "$@"

# The demo on a cluster that is given: this one, by its kubeconfig, and the images that its node has.
if (($# == 0)) && [[ $CLUSTER == local ]]; then
  say "the demo with CLUSTER=current"
  CLUSTER=current PATH=$ROOT/target/cluster/bin:$PATH IMAGE_PREFIX=docker.io/library scripts/demo.sh
fi
