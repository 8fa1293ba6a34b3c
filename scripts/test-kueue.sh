#!/usr/bin/env bash
# The tests of tests/cluster/kueue.rs: the installed operator with the real Kueue, on the cluster.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHART_VALUES=tests/cluster/kueue.yaml scripts/install.sh
use_cluster
needs_kueue
say "running the tests with Kueue"
cargo test --quiet --locked --workspace --test cluster -- --ignored kueue:: "$@"
