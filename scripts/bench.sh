#!/usr/bin/env bash
# MapTask, Indexed Job and a bare loop in turn on a cluster of its own with fake nodes, which ends with it. BENCH_SHAPES=a,b
# picks shapes (benches/throughput/shapes.rs), BENCH_ROUNDS=n is how often each has its turn. BENCH_SHAPES=fairness is alone.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

needs_cargo
say "building the operator and the benchmark"
cargo bench --quiet --locked --bench throughput --no-run
BENCH_CLUSTER=bench
trap 'cluster/cluster.sh down "$BENCH_CLUSTER"' EXIT
# Unlimited requests also mean no priority and fairness in the API server.
limits=(--unlimited-qps)
if [[ ${BENCH_SHAPES:-} == fairness ]]; then limits=(); fi
cluster/cluster.sh up --name "$BENCH_CLUSTER" --fake-nodes 50 --no-real-node "${limits[@]}"
KUBECONFIG=$(cluster/cluster.sh kubeconfig "$BENCH_CLUSTER")
export BENCH_CLUSTER KUBECONFIG
KUBECTL=$ROOT/target/cluster/bin/kubectl
"$KUBECTL" apply -f crds/maptasks.yaml >/dev/null
"$KUBECTL" wait --for=condition=Established crd/maptasks.maptask.dev --timeout=60s >/dev/null
say "running"
cargo bench --quiet --locked --bench throughput
