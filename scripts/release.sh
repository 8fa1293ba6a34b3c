#!/usr/bin/env bash
# Makes a release of the commit that is checked out, in target/release-VERSION. Nothing is published.
#
#   release.sh           images, chart, manifests, command line, bills of materials, licences, notes, checksums
#   release.sh --check   only what has to hold for that and takes no time: versions, notes, licences
#   release.sh --sign    signs what target/release-VERSION has
#
#   RELEASE_KEY=FILE               sign: a secret key, as `gpg --export-secret-keys` writes it
#   RELEASE_PASSPHRASE_FILE=FILE   its passphrase, if it has one
#   RELEASE_IMAGE=NAME             the image's name in the chart and the manifests: REGISTRY/FOLDER/maptask-operator
#   RELEASE_SOURCE=URL             the public repository, for the chart's `sources` and the image's label
#   RELEASE_URL=URL                the folder from which krew will download the command line
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=pack.sh
source scripts/pack.sh
# shellcheck source=release-tools.sh
source scripts/release-tools.sh

ARCHITECTURES=(amd64 arm64)
CHART=charts/maptask-operator
VERSION=$(version)
OUT=$ROOT/target/release-$VERSION
WORK=$ROOT/target/making-a-release
BUILT=${CARGO_TARGET_DIR:-$ROOT/target}
IMAGE=${RELEASE_IMAGE:-maptask-operator}
SOURCE=${RELEASE_SOURCE:-}

# field FILE NAME: a field of Chart.yaml.
field() { sed -n "s/^$2: //p" "$1"; }

# notes: the section of CHANGELOG.md about this version. Its links would lead nowhere elsewhere.
notes() {
  awk -v heading="## $VERSION" '$0 == heading { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md |
    sed -E -e 's/\[([^]]*)\]\([^)]*\)/\1/g' -e '/./,$!d'
}

# tested: the version of Kubernetes that the tests run on.
tested() { sed -n 's/.* version=v\([0-9.]*\) .*/\1/p' cluster/lib/tools.sh; }

triple() {
  case $1 in amd64) echo x86_64-unknown-linux-musl ;; arm64) echo aarch64-unknown-linux-musl ;; esac
}

# The licences themselves are those that deny.toml allows.
crate_licences() { python3 scripts/release/licences.py "$(triple amd64)" "$(triple arm64)" || die "the licence texts are not complete"; }

check() {
  local name stale
  [[ -z $SOURCE || $SOURCE =~ ^https://[^[:space:]]+$ ]] ||
    die "RELEASE_SOURCE=$SOURCE is no address of a repository: give https://HOST/PATH, or leave it out"
  for name in version appVersion; do
    [[ $(field $CHART/Chart.yaml $name) == "$VERSION" ]] ||
      die "Cargo.toml says version $VERSION, and $CHART/Chart.yaml $name: $(field $CHART/Chart.yaml $name): set both to the version of the release"
  done
  [[ $(grep -m 1 '^## ' CHANGELOG.md) == "## $VERSION" ]] ||
    die "Cargo.toml says version $VERSION, and the first section of CHANGELOG.md is '$(grep -m 1 '^## ' CHANGELOG.md)': give one the version of the other"
  [[ -n $(notes) ]] || die "the section $VERSION of CHANGELOG.md is empty: write what changes for users"
  stale=$(grep -rnoE --include='*.md' 'maptask-operator[:-][0-9]+\.[0-9]+\.[0-9]+' README.md docs examples manifests |
    grep -v "[:-]${VERSION//./\\.}\$" || true)
  [[ -z $stale ]] || die "pages name another version than $VERSION: $stale"
  crate_licences >/dev/null
  grep -qF "Kubernetes $(tested)" docs/operations/releases.md ||
    die "the tests run on Kubernetes $(tested), which docs/operations/releases.md does not say: correct its list of tested versions"
}

# A release is of a commit, and a version is of one commit.
check_commit() {
  local tagged
  [[ -z $(git status --porcelain) ]] ||
    die "the work tree differs from its commit: commit or stash it (git status), since a release is of a commit"
  tagged=$(git rev-parse --quiet --verify "refs/tags/v$VERSION^{commit}" || true)
  [[ -z $tagged || $tagged == "$(git rev-parse HEAD)" ]] ||
    die "the tag v$VERSION is on commit ${tagged:0:9}, and this is $(git rev-parse --short=9 HEAD): check out the tag (git checkout v$VERSION), or give this commit a new version in Cargo.toml, $CHART/Chart.yaml and CHANGELOG.md"
}

# compile ARCH: operator, worker and command line as static binaries, in WORK/ARCH. Paths of this machine are in none of them.
compile() {
  local target
  target=$(triple "$1")
  export CARGO_ZIGBUILD_ZIG_PATH=$ROOT/target/tools/zig/ziglang/zig
  export RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$ROOT=/maptask"
  say "compiling for linux/$1 with zig: minutes"
  target/tools/zig/bin/cargo-zigbuild zigbuild --release --locked --quiet --target "$target" \
    --package maptask-operator --bin maptask-operator --package maptask-cli --bin kubectl-maptask
  target/tools/zig/bin/cargo-zigbuild zigbuild --profile worker --locked --quiet --target "$target" \
    --package maptask-worker --bin maptask-worker
  unset RUSTFLAGS
  mkdir -p "$WORK/$1"
  cp "$BUILT/$target/release/maptask-operator" "$BUILT/$target/release/kubectl-maptask" \
    "$BUILT/$target/worker/maptask-worker" "$WORK/$1/"
}

# try_programs ARCH: each of them starts.
try_programs() {
  local runner=() program text
  if [[ $1 == arm64 && $(uname -m) != aarch64 ]] || [[ $1 == amd64 && $(uname -m) != x86_64 ]]; then
    program=qemu-$([[ $1 == arm64 ]] && echo aarch64 || echo x86_64)
    runner=("$(command -v "$program-static" || command -v "$program" || true)")
    [[ -n ${runner[0]} ]] ||
      { say "$program is not here (Debian: qemu-user-static): the programs for $1 were NOT run" && return; }
  fi
  for program in maptask-operator kubectl-maptask; do
    text=$("${runner[@]}" "$WORK/$1/$program" --version) || die "$program for linux/$1 does not start"
    [[ $text == "$program $VERSION" ]] || die "$program for linux/$1 says '$text', and should say '$program $VERSION'"
  done
  "${runner[@]}" "$WORK/$1/maptask-worker" version || die "maptask-worker for linux/$1 does not start"
  say "the programs for linux/$1 start (${runner[0]:-on this machine})"
}

# licences FOLDER: the texts for all that is linked into the programs.
licences() {
  {
    echo "The programs maptask-operator, maptask-worker and kubectl-maptask contain the crates below, the C library musl (at"
    echo "the end) and the standard library of Rust (RUST-STANDARD-LIBRARY.html)."
    echo
    crate_licences
    printf '%s\n\n' "musl" && cat target/tools/zig/ziglang/lib/libc/musl/COPYRIGHT
  } >"$1/THIRD-PARTY-LICENSES.txt"
  cp "$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html" "$1/RUST-STANDARD-LIBRARY.html"
}

# bills FOLDER: what each program is made of, in CycloneDX. A few crates are for one architecture alone.
bills() {
  local arch file name
  for arch in "${ARCHITECTURES[@]}"; do
    # It writes them beside every Cargo.toml of the workspace.
    target/tools/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --describe binaries \
      --target "$(triple "$arch")"
    for file in maptask-operator worker/maptask-worker cli/kubectl-maptask; do
      name=$(basename "$file")
      sed "s|$ROOT|/maptask|g" "${file}_bin.cdx.json" >"$1/$name-$VERSION-linux-$arch.cdx.json"
    done
    git clean --quiet --force -- '*.cdx.json'
  done
}

# image FOLDER: an OCI archive with one list for both architectures, and the digest of that list.
image() {
  local arch context list=maptask-release name=$IMAGE:$VERSION
  [[ $IMAGE == */* ]] || name=docker.io/library/$name
  # A store of its own. vfs needs no kernel support, and these images are few layers.
  local builder=(buildah --root "$WORK/images" --runroot "$WORK/images-run" --storage-driver vfs)
  rm -rf "$WORK/images" "$WORK/images-run" "$WORK/oci"
  "${builder[@]}" manifest create "$list" >/dev/null
  for arch in "${ARCHITECTURES[@]}"; do
    context=$WORK/image-$arch
    rm -rf "$context" && mkdir -p "$context/licenses"
    cp "$WORK/$arch/maptask-operator" "$WORK/$arch/maptask-worker" Dockerfile "$context/"
    cp LICENSE "$WORK/licences/"* "$context/licenses/"
    "${builder[@]}" bud --isolation chroot --quiet --no-cache --platform "linux/$arch" --timestamp "$SOURCE_DATE_EPOCH" --manifest "$list" \
      --label "org.opencontainers.image.title=maptask-operator" \
      --label "org.opencontainers.image.version=$VERSION" \
      --label "org.opencontainers.image.revision=$(git rev-parse HEAD)" \
      ${SOURCE:+--label "org.opencontainers.image.source=$SOURCE"} \
      --label "org.opencontainers.image.licenses=Apache-2.0" "$context" >/dev/null
  done
  "${builder[@]}" manifest push --quiet --all "$list" "oci:$WORK/oci:$name" >/dev/null
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    -C "$WORK/oci" -cf "$1/maptask-operator-$VERSION-image.tar" .
  grep -o '"digest":"[^"]*"' "$WORK/oci/index.json" | head -1 | cut -d '"' -f 4 >"$1/maptask-operator-$VERSION-image.digest"
}

# chart FOLDER [OPTION...]: the chart of the commit, as Helm packages it, with options of `helm package`.
chart() {
  local stage=$WORK/chart folder=$1
  shift
  rm -rf "$stage" && mkdir -p "$stage"
  git archive HEAD $CHART | tar -x -C "$stage"
  sed -i "s|^  repository: maptask-operator\$|  repository: $IMAGE|" "$stage/$CHART/values.yaml"
  # Where the code is public is known to who publishes it.
  [[ -z $SOURCE ]] || printf 'sources:\n- %s\n' "$SOURCE" >>"$stage/$CHART/Chart.yaml"
  # Helm's archive has the times of the files.
  find "$stage" -exec touch --date "@$SOURCE_DATE_EPOCH" {} +
  "$HELM" package "$stage/$CHART" --destination "$folder" "$@" >"$WORK/helm.log" 2>&1 || die "helm package: $(cat "$WORK/helm.log")"
}

# parts FOLDER: all but what is compiled, from what was compiled.
parts() {
  local arch archives=()
  mkdir -p "$1"
  image "$1"
  chart "$1"
  git show HEAD:manifests/install.yaml | sed "s|maptask-operator:$VERSION|$IMAGE:$VERSION|" >"$1/install.yaml"
  for arch in "${ARCHITECTURES[@]}"; do
    cp LICENSE "$WORK/licences/"* "$WORK/$arch/"
    archives+=("$1/kubectl-maptask-$VERSION-linux-$arch.tar.gz")
    pack "${archives[-1]}" "$WORK/$arch" kubectl-maptask LICENSE THIRD-PARTY-LICENSES.txt RUST-STANDARD-LIBRARY.html
  done
  krew_manifest "${RELEASE_URL:-file://$OUT}" "${archives[@]}" >"$1/maptask.yaml"
  cp LICENSE "$WORK/licences/"* "$1/"
  bills "$1"
  {
    echo "# MapTask operator $VERSION"
    echo
    echo "Commit $(git rev-parse HEAD). The image $IMAGE:$VERSION is for linux/amd64 and linux/arm64;"
    echo "its digest is \`$(cat "$1/maptask-operator-$VERSION-image.digest")\`."
    echo
    echo "Tested on Kubernetes $(tested); the chart refuses what is older than $(field $CHART/Chart.yaml kubeVersion | grep -oE '[0-9]+\.[0-9]+' | head -1)."
    echo "docs/operations/releases.md says how to check these files, and docs/operations/upgrade.md how to upgrade."
    echo
    notes
  } >"$1/release-notes.md"
}

# sums: of all files but themselves and their signature.
sums() { (cd "$OUT" && rm -f SHA256SUMS SHA256SUMS.asc && sha256sum -- * >../sums && mv ../sums SHA256SUMS); }

# sign: the chart as Helm does it, and the checksums of all files. OpenPGP, since it is what `helm verify` knows.
sign() {
  local name unlock=(--pinentry-mode loopback --passphrase-file "${RELEASE_PASSPHRASE_FILE:-/dev/null}")
  command -v gpg >/dev/null || die "RELEASE_KEY is set, and gpg is missing: install GnuPG"
  [[ -f $RELEASE_KEY ]] || die "RELEASE_KEY=$RELEASE_KEY is no file: gpg --export-secret-keys NAME >FILE writes one"
  GNUPGHOME=$(mktemp -d)
  export GNUPGHOME
  trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
  gpg --batch --quiet "${unlock[@]}" --import "$RELEASE_KEY" || die "RELEASE_KEY=$RELEASE_KEY holds no key that gpg can read: export it with gpg --export-secret-keys"
  name=$(gpg --batch --list-secret-keys --with-colons | awk -F: '$1 == "uid" { print $10; exit }')
  [[ -n $name ]] || die "RELEASE_KEY=$RELEASE_KEY holds no secret key: export it with gpg --export-secret-keys"
  say "signing as $name"
  gpg --batch --quiet "${unlock[@]}" --export-secret-keys >"$GNUPGHOME/secret.gpg" ||
    die "the passphrase of the key is wrong or missing: RELEASE_PASSPHRASE_FILE=FILE has it in its first line"
  gpg --batch --quiet --export >"$GNUPGHOME/public.gpg"
  mkdir -p "$WORK/signed"
  chart "$WORK/signed" --sign --key "$name" --keyring "$GNUPGHOME/secret.gpg" ${RELEASE_PASSPHRASE_FILE:+--passphrase-file "$RELEASE_PASSPHRASE_FILE"}
  cmp "$WORK/signed/maptask-operator-$VERSION.tgz" "$OUT/maptask-operator-$VERSION.tgz" ||
    die "the chart of this commit is not the one in $OUT: make the release again"
  cp "$WORK/signed/maptask-operator-$VERSION.tgz.prov" "$OUT/"
  sums
  gpg --batch --quiet --yes "${unlock[@]}" --armor --detach-sign --output "$OUT/SHA256SUMS.asc" "$OUT/SHA256SUMS"
  # What users will do.
  (cd "$OUT" && sha256sum --quiet --check SHA256SUMS)
  "$HELM" verify --keyring "$GNUPGHOME/public.gpg" "$OUT/maptask-operator-$VERSION.tgz" >/dev/null
  gpg --batch --quiet --verify "$OUT/SHA256SUMS.asc" "$OUT/SHA256SUMS" 2>"$WORK/gpg.log" || die "$(cat "$WORK/gpg.log")"
}

make_release() {
  local arch
  say "release $VERSION of commit $(git rev-parse --short=9 HEAD)"
  needs_release_tools
  rm -rf "$WORK" "$OUT"
  mkdir -p "$WORK/licences" "$OUT"
  for arch in "${ARCHITECTURES[@]}"; do
    compile "$arch"
    try_programs "$arch"
  done
  say "licence texts"
  licences "$WORK/licences"
  say "image, chart, manifests, archives, bills of materials, notes"
  parts "$OUT"
  say "the same once more, to compare"
  parts "$WORK/again"
  diff -rq "$OUT" "$WORK/again" >&2 || die "made twice, these files differ: a release has to be reproducible"
  sums
}

case ${1:-} in
  "") ;;
  --check | --sign) ;;
  *) sed -n '2,12p' "$0" && exit 2 ;;
esac
check
[[ ${1:-} != --check ]] || exit 0
check_commit
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
if [[ ${1:-} == --sign ]]; then
  [[ -n ${RELEASE_KEY:-} ]] || die "--sign needs RELEASE_KEY=FILE, a secret key: see the head of $0"
  [[ -d $OUT ]] || die "there is no $OUT to sign: make release"
  needs_helm
else
  make_release
fi
if [[ -n ${RELEASE_KEY:-} ]]; then sign; else say "not signed: RELEASE_KEY=FILE scripts/release.sh --sign does that"; fi
say "${OUT#"$ROOT/"} has $(find "$OUT" -type f | wc -l) files. Nothing was published: docs/operations/releases.md says how"
