#!/usr/bin/env bash
# From nothing to a finished MapTask: a cluster, the operator, and the image augmentation example.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

scripts/install.sh
use_cluster
load_image image-augmentation image-augmentation
task=image-augmentation
manifest=examples/$task/maptask.yaml
# A cluster that makes no volumes, such as the local one, gets one on its node.
if [[ -z $("$KUBECTL" get storageclasses -o name) ]]; then
  folder=/tmp/maptask-images
  mkdir -p "$folder" && chmod 777 "$folder"
  "$KUBECTL" apply -f - >/dev/null <<VOLUME
{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "maptask-images"}, "spec": {
  "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "100Mi"}, "hostPath": {"path": "$folder"},
  "claimRef": {"namespace": "default", "name": "images"}}}
VOLUME
fi
# On an existing cluster, use the image that was pushed to the registry.
apply() {
  if [[ $CLUSTER == local ]]; then
    "$KUBECTL" apply -f "$manifest"
  else
    sed "s|image: $task:|image: $IMAGE_PREFIX/$task:|" "$manifest" | "$KUBECTL" apply -f -
  fi
}
delete_task() {
  "$KUBECTL" delete maptask "$task" --ignore-not-found --cascade=foreground --timeout=60s >/dev/null
}
delete_task
"$KUBECTL" delete configmap -l "maptask.dev/cache=$task" >/dev/null

say "kubectl apply -f $manifest"
apply
say "kubectl get maptask $task -w"
"$KUBECTL" get maptask "$task" --watch &
watch=$!
trap 'kill "$watch" 2>/dev/null || true' EXIT
for _ in {1..600}; do
  phase=$("$KUBECTL" get maptask "$task" -o jsonpath='{.status.phase}')
  case $phase in Succeeded | Failed) break ;; esac
  sleep 0.2
done
sleep 0.5 # time for the watch to show the end
kill "$watch" 2>/dev/null || true
trap - EXIT
[[ $phase == Succeeded ]] || { "$KUBECTL" describe maptask "$task"; die "the task is ${phase:-without a phase}"; }

results=$("$KUBECTL" get configmap "$task-results-0" -o jsonpath='{.data.results\.jsonl}')
say "the results, one line for each item, in the order of the items:"
echo "$results"
say "$(grep -o '"name":' <<<"$results" | wc -l) images; the first item's log:"
"$KUBECTL" logs "$task-0-1"
say "the same task again: cached results are reused"
delete_task
apply
"$KUBECTL" wait maptask "$task" --for=condition=Complete --timeout=60s >/dev/null
"$KUBECTL" get maptask "$task"
if [[ $CLUSTER == local ]]; then
  say "to use the cluster: export KUBECONFIG=$KUBECONFIG PATH=$ROOT/target/cluster/bin:\$PATH"
  say "to remove it:       make clean-cluster"
fi
