#!/usr/bin/env bash
# Checks the chart without a cluster: Helm's lint, the tests of charts/maptask-operator/tests, values that it must refuse,
# what is generated from it, and its alerts by promtool.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHART=charts/maptask-operator
LOG=target/chart.log
needs_chart_tools
"$HELM" lint --quiet --strict "$CHART"
target/tools/bin/helm-unittest --strict "$CHART" >"$LOG" 2>&1 || die "tests of the chart: $(cat "$LOG")"
# helm-unittest knows no error of the schema by its field.
for values in maxPods=0 podsPerSecond=-1 unknown=1 logFormat=xml 'watchNamespaces={Bad_Name}' 'watchNamespaces={a,a}' \
  watchNamespaces=a workers.url=http://a image.digest=1.2 nameOverride=A; do
  if "$HELM" template release "$CHART" --set "$values" >/dev/null 2>"$LOG"; then die "the chart accepts $values"; fi
  grep -q "${values%%[=.]*}" "$LOG" || die "the chart refuses $values and does not name it: $(cat "$LOG")"
done
scripts/manifests.sh --check
for folder in manifests tests/kustomize; do
  "$KUBECTL" kustomize "$folder" >target/kustomize.yaml || die "$folder is no base of kustomize"
done
for image in 'image: REGISTRY/maptask-operator:1.2.3' 'value: REGISTRY/maptask-operator:1.2.3'; do
  grep -qF "$image" target/kustomize.yaml || die "tests/kustomize sets the image, and the result has no '$image'"
done

# Every metric that the chart uses exists.
for metric in $("$HELM" template release "$CHART" --set dashboard.enabled=true,alerts.enabled=true,podMonitor.enabled=true |
  grep -o 'maptask_[a-z_]*' | sed -E 's/^maptask_//; s/_(total|bucket)$//' | sort -u); do
  grep -q "\"$metric\"" src/serve/metrics.rs src/serve/exchange/metrics.rs ||
    die "the chart asks for the metric $metric, which src/serve does not have"
  grep -q "\`maptask_$metric" docs/reference/metrics.md || die "docs/reference/metrics.md does not describe maptask_$metric"
done

needs_prometheus
mkdir -p target/alerts
# rules NAME: the alerts of a release of this name.
rules() {
  "$HELM" template "$1" "$CHART" --namespace maptask-system --set "alerts.enabled=true,podMonitor.enabled=true" \
    --show-only templates/alerts.yaml | sed -n '/^spec:/,$p' | sed -e 1d -e 's/^  //'
}
rules maptask-operator >target/alerts/rules.yaml
rules maptask-operator-of-the-team-of-all-long-name-1 >target/alerts/long_names.yaml
cp tests/alerts/*.yaml target/alerts/
"$PROMTOOL" check rules target/alerts/rules.yaml target/alerts/long_names.yaml >"$LOG" 2>&1 || die "alerts: $(cat "$LOG")"
(cd target/alerts && "$PROMTOOL" test rules ./*_test.yaml) >"$LOG" 2>&1 || die "tests of the alerts: $(cat "$LOG")"
