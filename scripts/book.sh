#!/usr/bin/env bash
# Builds the book of the documentation into target/book, and checks that every link of it leads somewhere.
#
# The pages stay where they are in the repository, with links that work there as well. What they link to outside of docs/
# (README, examples, the chart's page) is copied beside them, so that the same links work in the book.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MDBOOK=0.5.4
STAGE=target/book-source
BOOK=target/book

needs_cargo
needs_crate mdbook "$MDBOOK" --no-default-features
mdbook=target/tools/bin/mdbook

# Every page is a chapter, or nobody finds it.
chapters=$(grep -oE '\]\([^)]+\.md\)' docs/SUMMARY.md | sed -E 's/^\]\((.*)\)$/\1/')
while IFS= read -r page; do
  grep -qxF "$page" <<<"$chapters" || die "docs/$page is not in docs/SUMMARY.md: add it"
done < <(git ls-files --cached --others --exclude-standard 'docs/*.md' | sed 's|^docs/||' | grep -vx SUMMARY.md)

rm -rf "$STAGE" "$BOOK"
mkdir -p "$STAGE/src"
git ls-files -z --cached --others --exclude-standard docs '*.md' examples charts manifests exchange/src src/core/pod/states |
  xargs -0 cp --parents -t "$STAGE/src"
mv "$STAGE/src/docs/book.toml" "$STAGE/book.toml"
# The summary is in docs/ and lists from there; the book begins one folder above.
sed -E 's#\]\(\.\./#](#; t; s#\]\(#](docs/#' docs/SUMMARY.md >"$STAGE/src/SUMMARY.md"
rm "$STAGE/src/docs/SUMMARY.md"
# The page of a folder is its index.
find "$STAGE/src" -name '*.md' ! -name SUMMARY.md -exec sed -i -E 's#(\]\([^)]*)README\.md#\1index.md#g' {} +
"$mdbook" build "$STAGE" >target/mdbook.log 2>&1 || die "mdbook: $(cat target/mdbook.log)"
! grep -E 'WARN|ERROR' target/mdbook.log || die "mdbook has something to say: see target/mdbook.log"

# Each file of the book, and each anchor in it, as FILE or FILE#ANCHOR; then each link in the same form, with its page.
cd "$BOOK"
find . -type f -printf '%P\n' >../book.places
while IFS= read -r file; do
  grep -oE ' id="[^"]+"' "$file" | sed -E "s|^ id=\"(.*)\"$|$file#\\1|" || true
done < <(find . -name '*.html' -printf '%P\n') >>../book.places
while IFS= read -r file; do
  grep -oE '<(a|img)[^>]* (href|src)="[^"]+"' "$file" | sed -E "s|^.* (href\|src)=\"(.*)\"$|$file \\2|" || true
done < <(find . -name '*.html' ! -name print.html ! -name 404.html ! -name toc.html -printf '%P\n') |
  awk '
    NR == FNR { places[$0] = 1; next }
    $2 ~ /^[a-z]+:/ { next }
    {
      split($2, parts, "#"); path = parts[1]; anchor = parts[2]
      folder = $1; sub(/[^\/]*$/, "", folder)
      target = path == "" ? $1 : folder path
      while (sub(/[^\/]+\/\.\.\//, "", target)) {}
      gsub(/(^|\/)\.\//, "", target)
      if (anchor != "") target = target "#" anchor
      if (!(target in places)) { print "error: " $1 " links to " $2 ", which is not there"; wrong = 1 }
    }
    END { exit wrong }' ../book.places - >&2 || die "links of the book lead nowhere"
say "$(find . -name '*.html' | wc -l) pages: $BOOK/index.html"
