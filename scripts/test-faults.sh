#!/usr/bin/env bash
# The tests of tests/faults on a cluster of their own, which ends with them. What is given goes to the test program:
# `-- NAME`. FAULT_SEED=n repeats one run, FAULT_RUNS=n is their number, FAULT_FROM=n the first one's seed,
# FAULT_MINUTES=n how long new ones are begun.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

needs_cargo
say "building the tests"
cargo test --quiet --locked --workspace --test faults --no-run
cargo build --quiet --locked --workspace --bin maptask-worker
export FAULT_CLUSTER=faults
own_cluster "$FAULT_CLUSTER" --fake-nodes 4
# Who the proxy says it is: an ordinary user, since administrators are exempt from priority and fairness.
"$KUBECTL" create clusterrolebinding maptask-faults --clusterrole=cluster-admin --user=maptask-faults \
  --dry-run=client -o yaml | "$KUBECTL" apply -f - >/dev/null
say "running the tests under faults"
cargo test --quiet --locked --workspace --test faults -- --ignored --nocapture --test-threads 1 "$@"
