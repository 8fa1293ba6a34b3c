#!/usr/bin/env bash
# Checks that need no tests: format, clippy, docs, the generated CRD, the chart, texts, scripts, the workflow.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ACTIONLINT=v1.7.12
CARGO_DENY=0.20.2
needs_cargo
say "format"
cargo fmt --check
say "clippy"
cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
say "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --workspace --no-deps
say "files of at most 400 lines"
long=$(git ls-files '*.rs' '*.sh' | xargs wc -l | awk '$2 != "total" && $1 > 400')
[[ -z $long ]] || die "too long: $long"
say "dependencies"
deny=target/tools/bin/cargo-deny
needs_crate cargo-deny "$CARGO_DENY"
# Without --workspace it checks the operator alone, and not the worker, whose program is in the image as well.
deny() { "$deny" --workspace "$@" >target/cargo-deny.log 2>&1 || die "deny.toml: $(cat target/cargo-deny.log)"; }
deny --locked --log-level error check --hide-inclusion-graph --deny unmatched-skip licenses bans sources
# Never fetched here: a check must not change its mind because the network did.
if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/advisory-db-*/" >/dev/null; then
  deny --locked --offline check --hide-inclusion-graph advisories
else
  say "no advisory database is on this machine: advisories were not checked (target/tools/bin/cargo-deny fetch db)"
fi
say "CRD as generated"
LABEL=lint scripts/crds.sh --check
say "chart"
LABEL=lint scripts/chart.sh
say "what a release needs"
LABEL=lint scripts/release.sh --check
say "statements of docs/behaviour.md"
LABEL=lint scripts/statements.sh
say "prose"
LABEL=lint scripts/prose.sh
say "book"
LABEL=lint scripts/book.sh
say "scripts"
for script in scripts/*.sh cluster/*.sh cluster/lib/*.sh .ci/run; do bash -n "$script"; done
if command -v shellcheck >/dev/null; then
  shellcheck -x -P SCRIPTDIR scripts/*.sh cluster/cluster.sh .ci/run
else
  say "shellcheck is not installed: the scripts were only parsed"
fi
say "workflow"
if [[ $(target/tools/bin/actionlint -version 2>/dev/null | head -1) != "$ACTIONLINT" ]]; then
  GOBIN=$PWD/target/tools/bin go install "github.com/rhysd/actionlint/cmd/actionlint@$ACTIONLINT" 2>target/actionlint.log ||
    die "actionlint can't be built: see target/actionlint.log"
fi
target/tools/bin/actionlint
say "good"
