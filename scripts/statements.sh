#!/usr/bin/env bash
# Checks that every statement in bold of docs/behaviour.md is the name of a test.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

missing=0
while read -r statement; do
  name=$(tr '[:upper:]' '[:lower:]' <<<"$statement" | sed "s/'//g; s/[^a-z0-9]\+/_/g; s/^_//; s/_$//")
  grep -rqE "fn $name\(" src tests worker || { say "no test is named $name" && missing=1; }
done < <(grep -vF 'Every statement in bold' docs/behaviour.md | tr '\n' ' ' | grep -oE '\*\*[^*]+\*\*' | tr -d '*')
exit "$missing"
