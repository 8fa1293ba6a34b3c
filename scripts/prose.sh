#!/usr/bin/env bash
# Checks the form of the documentation: no line of prose or comment over 120 characters, and a README of at most 150
# lines. Tables, code blocks, and lines that are only a link may be longer.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

export LC_ALL=C.UTF-8 # characters, not bytes
only_a_link='^ *([-*] )?\[[^]]*\]\([^)]*\)[.,;:]?$'
readme=$(wc -l <README.md)
((readme <= 150)) || die "README.md has $readme lines, at most 150 are allowed: move details to docs/"
wrong=0
while IFS= read -r file; do
  number=0 code=false
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    if [[ $line == '```'* || $line == ' '*'```'* ]]; then
      if $code; then code=false; else code=true; fi
      continue
    fi
    if $code || ((${#line} <= 120)) || [[ $line == '|'* || $line =~ $only_a_link ]]; then continue; fi
    say "$file:$number: ${#line} characters, at most 120 are allowed: wrap the line"
    wrong=1
  done <"$file"
done < <(git ls-files '*.md' ':!charts')
while IFS= read -r line; do
  say "${line%%: *}: a comment may have at most 120 characters: wrap the line"
  wrong=1
done < <(git ls-files '*.rs' | xargs grep -nE '^.{121,}$' | sed -E 's/^([^:]+:[0-9]+):/\1: /' | grep -E '^[^ ]+: +//')
exit "$wrong"
