#!/usr/bin/env bash
# Generates the CRD from src/api into crds/ and, with Helm's conditions around it, into the chart; and from the same, and
# from the metrics of src/serve, the reference of the book.
#
#   crds.sh [--check]   --check changes nothing and fails if one of the files is not what would be generated
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHART=charts/maptask-operator/templates/crd.yaml

# Reads the CRD and prints it as a template of the chart. Braces of a description are no action of Helm's.
template() {
  cat <<'HEAD'
{{- /* Generated from src/api by `make crds`. */ -}}
{{- if .Values.crds.enabled }}
HEAD
  sed -e 's/{{/{{ "{{" }}/g' -e '/^metadata:$/{
n
a\  labels: {{- include "maptask.labels" . | nindent 4 }}\
  {{- if .Values.crds.keep }}\
  annotations:\
    helm.sh/resource-policy: keep\
  {{- end }}
}'
  echo '{{- end }}'
}

mkdir -p target
cargo build --quiet --locked --workspace --bin maptask-operator
"${CARGO_TARGET_DIR:-target}/debug/maptask-operator" crd >target/maptasks.yaml
template <target/maptasks.yaml >target/crd-template.yaml
if [[ ${1:-} == --check ]]; then
  { diff -u crds/maptasks.yaml target/maptasks.yaml && diff -u "$CHART" target/crd-template.yaml; } ||
    die "the CRD is not what src/api says: run 'make crds'"
else
  cp target/maptasks.yaml crds/maptasks.yaml
  cp target/crd-template.yaml "$CHART"
  BOOK="write" cargo test --quiet --locked --workspace --test book the_generated_page >/dev/null
fi
