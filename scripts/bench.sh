#!/usr/bin/env bash
# MapTask, Indexed Job and a bare loop in turn on a cluster of its own with fake nodes, which ends with it. BENCH_SHAPES=a,b
# picks shapes (benches/throughput/shapes.rs), BENCH_ROUNDS=n is how often each has its turn. BENCH_SHAPES=fairness and BENCH_SHAPES=neighbour are alone.
# BENCH_OPERATOR is another build of the operator to measure.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

needs_cargo
say "building the operator and the benchmark"
cargo bench --quiet --locked --bench throughput --no-run
export BENCH_CLUSTER=bench
# Unlimited requests also mean no priority and fairness in the API server.
options=(--unlimited-qps --no-real-node)
if [[ ${BENCH_SHAPES:-} == fairness ]]; then options=(--no-real-node); fi
# An image that is missing is for a real node to say.
if [[ ${BENCH_SHAPES:-} == neighbour ]]; then options=(--unlimited-qps); fi
own_cluster "$BENCH_CLUSTER" --fake-nodes 50 "${options[@]}"
say "running"
cargo bench --quiet --locked --bench throughput
