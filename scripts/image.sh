#!/usr/bin/env bash
# Builds an image with docker, podman or buildah, whichever is there.
#
#   image.sh operator|image-augmentation|stream-model [--archive FILE.tar]
#
# --archive writes a docker-archive instead of leaving the image in the builder's own store.
set -euo pipefail

# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in
  operator) package=maptask-operator binary=maptask-operator dockerfile=Dockerfile ;;
  image-augmentation) package=image-augmentation binary=augment dockerfile=examples/image-augmentation/Dockerfile ;;
  # A Python program: nothing is compiled.
  stream-model) package=stream-model binary='' dockerfile=examples/stream-model/Dockerfile ;;
  *) sed -n '2,6p' "$0" && exit 2 ;;
esac

archive=
case ${2:-} in
  "") ;;
  --archive)
    [[ -n ${3:-} ]] || { say "error: --archive needs a file: --archive FILE.tar" && exit 2; }
    archive=$(realpath -m "$3")
    mkdir -p "$(dirname "$archive")"
    ;;
  *) say "error: $2 is not an option: use --archive FILE.tar" && exit 2 ;;
esac

# inputs_of FOLDER: what the image of a Python program is made from, as a hash.
inputs_of() {
  { python3 --version && cat "$1"/*; } | sha256sum
}

# make_root FOLDER: the example's Python and packages.
make_root() {
  local log=target/image/pip.log
  if ! python3 -m pip --version >/dev/null 2>&1; then
    install_package python3-pip "python3 with pip is missing: install it"
  fi
  say "packing Python and scikit-learn, and training the model"
  python3 examples/stream-model/bundle.py "$1/root" >"$log" 2>&1 || die "the image's root can't be made; see $log"
}

if [[ -z $binary && -n $archive && -f $archive && $(cat "$archive.inputs" 2>/dev/null) == "$(inputs_of "examples/$1")" ]]; then
  say "$(basename "$archive") is up to date"
  exit
fi

triple=$(rustc -vV | sed -n 's/^host: //p')
image=docker.io/library/$package:$(version)

context=target/image/$package
rm -rf "$context"
mkdir -p "$context"
cp "$dockerfile" "$context/"

if [[ -n $binary ]]; then
  say "building $binary as a static binary"
  # glibc linked in; no other C code is, so that this needs no musl toolchain.
  RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --quiet --package "$package" --bin "$binary" --target "$triple"
  cp "${CARGO_TARGET_DIR:-target}/$triple/release/$binary" "$context/"
else
  make_root "$context"
fi

worker=
if [[ $1 == operator ]]; then
  say "building maptask-worker, which pods get from the operator's image"
  # Relocations packed: a linker that does not know that makes a larger program.
  RUSTFLAGS="-C target-feature=+crt-static" cargo rustc --profile worker --locked --quiet --package maptask-worker \
    --bin maptask-worker --target "$triple" -- -C link-arg=-Wl,-z,pack-relative-relocs
  worker=${CARGO_TARGET_DIR:-target}/$triple/worker/maptask-worker
  # It is copied into each pod that uses it.
  bytes=$(stat -c %s "$worker")
  ((bytes < 3000000)) || die "maptask-worker has $bytes bytes, 3,000,000 are too many: look for what it links"
fi

if [[ -n $worker ]]; then
  mkdir "$context/licenses"
  cp "$worker" "$context/"
  cp LICENSE "$context/licenses/"
fi
if [[ -d $(dirname "$dockerfile")/images ]]; then cp -r "$(dirname "$dockerfile")/images" "$context/"; fi

if docker info >/dev/null 2>&1; then
  say "building $image with docker"
  docker build --quiet --tag "$image" "$context" >/dev/null
  [[ -z $archive ]] || docker save --output "$archive" "$image"
elif command -v podman >/dev/null; then
  say "building $image with podman"
  podman build --quiet --tag "$image" "$context" >/dev/null
  [[ -z $archive ]] || podman save --quiet --format docker-archive --output "$archive" "$image"
else
  command -v buildah >/dev/null ||
    install_package buildah "none of docker (with its engine), podman and buildah is there: install one"
  say "building $image with buildah"
  # vfs needs no kernel support, and these images are one layer.
  export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
  buildah bud --quiet --tag "$image" "$context" >/dev/null
  if [[ -n $archive ]]; then
    rm -f "$archive"
    buildah push --quiet "$image" "docker-archive:$archive:$image"
  fi
fi
if [[ -z $binary && -n $archive ]]; then inputs_of "examples/$1" >"$archive.inputs"; fi
say "$image is built${archive:+ into $archive}"
