#!/usr/bin/env bash
# MapTask and its peers in turn on a cluster of its own, which ends with it. BENCH_SHAPES=a,b picks shapes, BENCH_ROUNDS=n is
# how often each has its turn.
#
# Shapes that begin with "workers" need a real node, and have a cluster apart from the others (benches/throughput/workers):
# BENCH_ITEMS, BENCH_PODS, BENCH_SLOTS and BENCH_PIPELINE change them. All others have fake nodes (benches/throughput/shapes.rs);
# BENCH_SHAPES=fairness and BENCH_SHAPES=neighbour are alone. BENCH_OPERATOR is another build of the operator to measure.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [[ -z ${BENCH_SHAPES:-} ]]; then
  BENCH_SHAPES=1k,3k,3k-slow,failures,50-tasks,5k,results scripts/bench.sh
  BENCH_SHAPES=workers-exec,workers-stream,workers-long,workers-skewed,workers-million exec scripts/bench.sh
fi

# From PyPI into target/. Without it the benchmark says so.
HYPERQUEUE=0.27.0
find_hyperqueue() {
  local directory=$ROOT/target/bench/hyperqueue-$HYPERQUEUE
  if [[ ! -d $directory ]]; then
    say "installing HyperQueue $HYPERQUEUE into target"
    rm -rf "$directory.new"
    if ! python3 -m pip install --quiet --target "$directory.new" "hyperqueue==$HYPERQUEUE" 2>"$ROOT/target/bench-pip.log"; then
      say "no HyperQueue: see target/bench-pip.log"
      return
    fi
    mv "$directory.new" "$directory"
  fi
  export BENCH_HYPERQUEUE=$directory
}

needs_cargo
export BENCH_CLUSTER=bench
# Unlimited requests also mean no priority and fairness in the API server.
options=(--fake-nodes 50 --unlimited-qps --no-real-node)
case $BENCH_SHAPES in
  fairness) options=(--fake-nodes 50 --no-real-node) ;;
  # An image that is missing is for a real node to say.
  neighbour) options=(--fake-nodes 50 --unlimited-qps) ;;
  workers*)
    options=(--fake-nodes 0 --unlimited-qps)
    find_hyperqueue
    # What pods take the worker from; its operator is the one that is measured.
    scripts/image.sh operator --archive "$IMAGES/maptask-operator.tar"
    triple=$(rustc -vV | sed -n 's/^host: //p')
    export BENCH_OPERATOR=${BENCH_OPERATOR:-${CARGO_TARGET_DIR:-target}/$triple/release/maptask-operator}
    BENCH_CGROUP=maptask-$BENCH_CLUSTER-$(printf '%s' "$ROOT" | sha256sum | cut -c1-6)
    export BENCH_CGROUP
    ;;
esac
say "building the operator and the benchmark"
cargo bench --quiet --locked --bench throughput --no-run
own_cluster "$BENCH_CLUSTER" "${options[@]}"
if [[ $BENCH_SHAPES == workers* ]]; then cluster/cluster.sh load "$IMAGES/maptask-operator.tar" "$BENCH_CLUSTER"; fi
say "running"
cargo bench --quiet --locked --bench throughput
