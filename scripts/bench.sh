#!/usr/bin/env bash
# MapTask, Indexed Job and a bare loop in turn on a cluster of its own with fake nodes, which ends with it. BENCH_SHAPES=a,b
# picks shapes (benches/throughput/shapes.rs), BENCH_ROUNDS=n is how often each has its turn. BENCH_SHAPES=fairness is alone.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

needs_cargo
say "building the operator and the benchmark"
cargo bench --quiet --locked --bench throughput --no-run
export BENCH_CLUSTER=bench
# Unlimited requests also mean no priority and fairness in the API server.
limits=(--unlimited-qps)
if [[ ${BENCH_SHAPES:-} == fairness ]]; then limits=(); fi
own_cluster "$BENCH_CLUSTER" --fake-nodes 50 --no-real-node "${limits[@]}"
say "running"
cargo bench --quiet --locked --bench throughput
