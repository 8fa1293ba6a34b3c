#!/usr/bin/env bash
# Which rules does no test hold? Breaks src/core in one place after the other (cargo-mutants) and runs the unit tests and
# 1,000 simulated worlds each time.
#
#   scripts/mutants.sh [FILE...]    these files; default: those of src/core that differ from BASE, by default from where
#                                   this branch left main; none where there is nothing to compare with
#   MUTANTS_IN=lines                only the lines that differ
#   MUTANTS_MINUTES=n               ends after so long and says that it did; 0, the default: when all is done
#
# What survives is listed. It is an error in a file that tests/mutants.md lists as finished, unless it is listed there as left.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VERSION=27.0.0
MINUTES=${MUTANTS_MINUTES:-0}
args=()
if (($# > 0)); then
  files=("$@")
else
  base=${BASE:-$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true)}
  [[ -n $base ]] || { say "there is no main to compare with: nothing to do" && exit 0; }
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- 'src/core/*.rs' | grep -vE '_tests\.rs$|/tests/' || true)
  ((${#files[@]} > 0)) || { say "no file of src/core differs from $(git rev-parse --short "$base"): nothing to do" && exit 0; }
  if [[ ${MUTANTS_IN:-files} == lines ]]; then
    mkdir -p target
    # The whole folder, so that a file that was only moved counts as such.
    git diff --find-renames "$base" -- src/core >target/mutants.diff
    args+=(--in-diff target/mutants.diff)
  fi
fi
for file in "${files[@]}"; do args+=(--file "$file"); done

needs_cargo
needs_crate cargo-mutants "$VERSION"

# Each mutant is built and tested in a copy of the tree. What it depends on is built once, in a target folder of its own.
export CARGO_TARGET_DIR=$PWD/target/mutants SIMULATION_SEEDS=${SIMULATION_SEEDS:-1000} MALLOC_TRIM_THRESHOLD_=2000000000
export PATH=$PWD/target/tools/bin:$PATH
out=target/mutants.out
rm -rf "$out"
status=0
timeout --foreground --signal INT "${MINUTES}m" cargo mutants --output target --no-shuffle --colors never "${args[@]}" || status=$?
case $status in
  0 | 2 | 3) ;;
  124) say "$MINUTES minutes are over: what is not listed was not run" ;;
  *) die "cargo-mutants says $status: see $out/log" ;;
esac
touch "$out/missed.txt" "$out/caught.txt" "$out/timeout.txt"
survivors=$(wc -l <"$out/missed.txt")
say "$(cat "$out/caught.txt" "$out/timeout.txt" | wc -l) were caught, $survivors survive"
failed=0
while read -r survivor; do
  # Its name without line and column.
  name="${survivor%%:*}: ${survivor#*:*:*: }"
  if grep -qF "\`$name\`" tests/mutants.md; then continue; fi
  if grep -qF "| \`${survivor%%:*}\`" tests/mutants.md; then say "in a finished file: $survivor" && failed=1; fi
done <"$out/missed.txt"
((failed == 0)) || die "each is a missing sentence in a test, or code that nobody needs; what is equal in effect goes into .cargo/mutants.toml with its reason"
