# How archives of the command line and their manifest for krew are made: for `make cli` and `make release`.
# shellcheck shell=bash

# pack FILE.tar.gz FOLDER NAME...: an archive of these files that depends on nothing but them and the time of the commit.
pack() {
  local archive=$1 folder=$2
  shift 2
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    -C "$folder" -c "$@" | gzip -9n >"$archive"
}

# krew_manifest URL ARCHIVE...: prints the manifest for archives named …-linux-ARCH.tar.gz that will be in the folder URL.
krew_manifest() {
  local url=$1 archive arch sum
  shift
  sed -e 1d -e "s|VERSION|$(version)|" -e '/^  - selector:/,$d' cli/krew.yaml
  for archive in "$@"; do
    arch=${archive##*-linux-} arch=${arch%.tar.gz}
    sum=$(sha256sum <"$archive" | cut -d ' ' -f 1)
    sed -e '1,/^  platforms:/d' -e "s|ARCH|$arch|; s|URL|$url/$(basename "$archive")|; s|SHA256|$sum|" cli/krew.yaml
  done
}
