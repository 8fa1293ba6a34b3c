#!/usr/bin/env bash
# The tests of tests/cluster/kueue.rs and multikueue.rs: the installed operator with the real Kueue, on the cluster; and a
# second cluster without nodes, whose tasks run in the first one.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHART_VALUES=tests/cluster/kueue.yaml scripts/install.sh
use_cluster
needs_kueue
trap 'cluster/cluster.sh down manager' EXIT
cluster/cluster.sh up --name manager --no-real-node --fake-nodes 0
MANAGER_KUBECONFIG=$(cluster/cluster.sh kubeconfig manager)
export MANAGER_KUBECONFIG
KUBECONFIG=$MANAGER_KUBECONFIG "$KUBECTL" apply --server-side -f crds/maptasks.yaml
say "running the tests with Kueue"
cargo test --quiet --locked --workspace --test cluster -- --ignored kueue:: "$@"
