#!/usr/bin/env bash
# Generates from the chart what is used without Helm, and the chart's README: manifests/install.yaml for `kubectl apply`
# and kustomize, and charts/maptask-operator/README.md from the comments of values.yaml.
#
#   manifests.sh [--check]   --check changes nothing and fails if one of the files is not what would be generated
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHART=charts/maptask-operator
OUT=$PWD/target/manifests
needs_chart_tools

# Without Helm nobody upgrades by its labels, and nothing but kubectl deletes the CRD.
install_yaml() {
  cat <<HEAD
# Generated from the chart by \`make manifests\`. Set the image, or use the folder as a base of kustomize: docs/operations/install.md.
apiVersion: v1
kind: Namespace
metadata:
  name: $NAMESPACE
HEAD
  "$HELM" template maptask-operator "$CHART" --namespace "$NAMESPACE" --skip-tests --set crds.keep=false |
    sed -e '/^ *helm\.sh\/chart: /d' -e '/^ *app\.kubernetes\.io\/managed-by: Helm$/d' -e '/^# Source: /d' -e '/^$/d'
}

rm -rf "$OUT"
mkdir -p "$OUT"
install_yaml >"$OUT/install.yaml"
target/tools/bin/helm-docs --chart-search-root "$CHART" --sort-values-order file --log-level warning --dry-run \
  >"$OUT/README.md"
undocumented=$(sed -n 's/^| \([^ ]*\) .*|  |$/\1/p' "$OUT/README.md")
[[ -z $undocumented ]] || die "values without a comment that begins with '# --' in values.yaml: $undocumented"
if [[ ${1:-} == --check ]]; then
  { diff -u manifests/install.yaml "$OUT/install.yaml" && diff -u "$CHART/README.md" "$OUT/README.md"; } ||
    die "a file that is made from the chart is not what the chart says: run 'make manifests'"
else
  cp "$OUT/install.yaml" manifests/install.yaml
  cp "$OUT/README.md" "$CHART/README.md"
fi
