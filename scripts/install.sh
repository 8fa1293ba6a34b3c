#!/usr/bin/env bash
# Builds the operator's image and installs its chart; with CLUSTER=current only the latter. CHART_VALUES is a file of
# values for the chart. RELEASE is a folder that `make release` has made: its image and its chart, and nothing is built.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

use_cluster
settings=() chart=charts/maptask-operator archive=$IMAGES/maptask-operator.tar
if [[ -n ${RELEASE:-} ]]; then
  chart=$RELEASE/maptask-operator-$(version).tgz archive=$RELEASE/maptask-operator-$(version)-image.tar
  [[ -f $chart && -f $archive ]] || die "RELEASE=$RELEASE has no chart and image of version $(version): make release"
fi
if [[ $CLUSTER == local ]]; then
  if [[ -n ${RELEASE:-} ]]; then
    cluster/cluster.sh load "$archive"
  else
    needs_cargo
    load_image operator maptask-operator
  fi
  # Another build under the same tag is another pod.
  settings+=(--set-string "podAnnotations.image=$(sha256sum "$archive" | cut -c1-16)")
else
  settings+=(--set "image.repository=$IMAGE_PREFIX/maptask-operator")
fi
if [[ -n ${CHART_VALUES:-} ]]; then settings+=(--values "$CHART_VALUES"); fi
say "installing $chart into namespace $NAMESPACE"
# A CRD that belongs to no release, such as one that kubectl has applied, becomes this release's.
"$HELM" upgrade --install maptask-operator "$chart" --namespace "$NAMESPACE" --create-namespace \
  --take-ownership --force-conflicts --wait --timeout 3m "${settings[@]}" >/dev/null ||
  { "$KUBECTL" -n "$NAMESPACE" describe pods >&2; die "the operator does not get ready"; }
say "the operator is ready"
