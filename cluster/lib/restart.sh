# A component that ends and comes back, as after a crash or an upgrade.
# shellcheck shell=bash

# restart COMPONENT [FLAG...]: the same command, folder and log, and further flags; waits until all is healthy again.
restart() {
  local component=$1 pid file dir log words where=()
  shift
  file=$(pid_file "$component") || die "$component does not run"
  pid=$(<"$file")
  dir=$(readlink "/proc/$pid/cwd")
  log=$(readlink "/proc/$pid/fd/1")
  mapfile -d '' -t words <"/proc/$pid/cmdline"
  words+=("$@")
  if [[ $file == "$STATE/pids/"* ]]; then where=(nsenter --net="$RUN/netns"); fi
  say "restarting $component"
  end_pids "$pid"
  (cd "$dir" && PATH=$BIN:$PATH exec setsid "${where[@]}" "${words[@]}" >>"$log" 2>&1 </dev/null) &
  echo $! >"$file"
  wait_for "$component" 60 is_healthy
}
