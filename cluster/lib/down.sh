# The end of a cluster: every process, mount, network link and cgroup of it, also after a crash of any part.
# shellcheck shell=bash

down_all() {
  local dir
  for dir in "$HOME_DIR"/clusters/*/ /run/maptask-*-"$CHECKOUT"/; do
    [[ -d $dir ]] || continue
    dir=$(basename "$dir" "-$CHECKOUT")
    down "${dir#maptask-}"
  done
}

# down NAME
down() {
  paths "$1"
  if [[ ! -e $STATE && ! -e $RUN ]] && ! any_cgroup; then
    say "cluster $NAME does not run"
    return
  fi
  say "ending cluster $NAME"
  # First who would start others, then what they started.
  end_processes kubelet kube-proxy coredns
  end_containers
  end_processes containerd
  if [[ -d $KWOK_WORKDIR/clusters/$NAME ]]; then
    mkdir -p "$LOGS"
    rm -rf "$LOGS/control-plane"
    cp -r "$KWOK_WORKDIR/clusters/$NAME/logs" "$LOGS/control-plane" 2>/dev/null || true
    timeout 60 "$BIN/kwokctl" delete cluster --name "$NAME" >>"$LOGS/kwokctl.log" 2>&1 || true
  fi
  end_rest
  end_cgroup_processes
  remove_shim_sockets
  # Its other end, the rules of kube-proxy and the pods' links go with the namespace, which is one of the mounts.
  ip link delete "$LINK" 2>/dev/null || true
  unmount
  remove_cgroups
  # A pod's mounts lead into the host: never delete through one that is still there.
  if [[ -n $(our_mounts) ]]; then die "still mounted: $(our_mounts | tr '\n' ' '); unmount it and call this again"; fi
  rm -rf "$STATE" "$RUN"
}

# end_processes COMPONENT…
end_processes() {
  local component pid pids=()
  for component; do
    if pid=$(component_pid "$component"); then pids+=("$pid"); fi
  done
  end_pids "${pids[@]}"
}

# end_pids PID…: asks, waits, and insists.
end_pids() {
  local pid tries
  for pid; do kill -TERM "$pid" 2>/dev/null || true; done
  for tries in {1..50}; do
    for pid; do
      if [[ -e /proc/$pid ]]; then sleep 0.1 && continue 2; fi
    done
    return
  done
  for pid; do kill -KILL "$pid" 2>/dev/null || true; done
  sleep 0.2
}

end_containers() {
  local task tries
  [[ -S $RUN/containerd.sock ]] && component_pid containerd >/dev/null || return 0
  for task in $(ctr_quickly tasks ls -q 2>/dev/null); do
    ctr_quickly tasks kill -a -s SIGKILL "$task" >/dev/null 2>&1 || true
  done
  for tries in {1..30}; do
    [[ -z $(ctr_quickly tasks ls 2>/dev/null | grep RUNNING) ]] && return
    sleep 0.1
  done
}

# Whatever else names our folders: shims after a crash, parts of the control plane.
end_rest() {
  local dir pid pids=()
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    if is_ours "$pid"; then pids+=("$pid"); fi
  done
  if ((${#pids[@]})); then end_pids "${pids[@]}"; fi
}

# Containers whose shim is gone name no folder of ours; the cgroup still tells whose they are.
end_cgroup_processes() {
  local tries tree pids
  for tries in {1..30}; do
    mapfile -t pids < <(while read -r tree; do find "$tree" -name cgroup.procs -exec cat {} + 2>/dev/null; done < <(cgroup_trees) | grep -vx 0 | sort -u)
    ((${#pids[@]})) || return 0
    kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.1
  done
}

# containerd's shims put their sockets into a folder of the whole machine, and leave them there when they are killed.
remove_shim_sockets() {
  local file
  while read -r file; do
    grep -o '/run/containerd/s/[0-9a-f]*' "$file" | xargs -r rm -f
  done < <(find "$RUN/containerd" -name bootstrap.json 2>/dev/null)
}

our_mounts() {
  awk -v a="$STATE/" -v b="$RUN/" 'index($2, a) == 1 || index($2, b) == 1 { print $2 }' /proc/mounts | sort -r
}

unmount() {
  local tries mounts
  for tries in 1 2 3; do
    mounts=$(our_mounts)
    [[ -n $mounts ]] || break
    xargs -r -d '\n' umount --lazy <<<"$mounts" 2>/dev/null || true
  done
}

cgroup_trees() {
  local tree
  for tree in /sys/fs/cgroup/*/maptask-"$ID" /sys/fs/cgroup/maptask-"$ID"; do
    if [[ -d $tree && ! -L ${tree%/*} ]]; then echo "$tree"; fi
  done
}

any_cgroup() { [[ -n $(cgroup_trees) ]]; }

# The kernel lets go of a group a moment after its last process.
remove_cgroups() {
  local tries tree
  for tries in {1..20}; do
    while read -r tree; do find "$tree" -depth -type d -exec rmdir {} + 2>/dev/null || true; done < <(cgroup_trees)
    any_cgroup || return 0
    sleep 0.1
  done
  say "some of the cgroups maptask-$ID can't be removed: a process is in them"
}
