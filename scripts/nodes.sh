# shellcheck shell=bash
# Two nodes on this machine, for scripts that source this file. Everything lives in one temporary folder that is removed at the end, and both
# nodes are stopped whatever happens.

# How long anything may take before the script gives up.
: "${STEP_SECONDS:=120}"

pawl=${PAWL:-$PWD/.build/release/pawl}
[[ -x $pawl ]] || { echo "$pawl is not there: run 'make build' first" >&2; exit 1; }
work=$(mktemp -d "${TMPDIR:-/tmp}/pawl-XXXXXX")
declare -A node_pid=()

# Commands of the cleaning-up that the sourcing script adds.
on_exit() { :; }

# stop_process PID: asks, waits ten seconds, insists.
stop_process() {
  local pid=$1 deadline=$((SECONDS + 10))
  kill -TERM "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

stop_all() {
  local status=$?
  trap - EXIT INT TERM
  on_exit
  for name in "${!node_pid[@]}"; do stop_process "${node_pid[$name]}"; done
  if ((status != 0 && status != 130 && status != 143)); then
    for log in "$work"/*.log; do
      [[ -s $log ]] && { echo "--- ${log##*/}" >&2; tail -n 20 "$log" >&2; }
    done
  fi
  rm -rf "$work"
  exit "$status"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "$1" >&2
  exit 1
}

# as NAME COMMAND...: runs `pawl COMMAND...` as the person at that node would, in their folder. At most STEP_SECONDS.
as() {
  local name=$1
  shift
  (cd "$work/$name" && PAWL_HOME="$work/$name/.pawl" timeout --foreground "$STEP_SECONDS" "$pawl" "$@")
}

# start_node NAME: starts it on a free port of the loopback interface and waits until it says that it is ready.
start_node() {
  local name=$1 deadline=$((SECONDS + 30))
  mkdir -p "$work/$name"
  (cd "$work/$name" && PAWL_HOME="$work/$name/.pawl" exec "$pawl" up --listen 127.0.0.1:0 --name "$name" \
    >"$work/$name.out" 2>"$work/$name.log") &
  node_pid[$name]=$!
  until grep -q '^ready ' "$work/$name.out"; do
    kill -0 "${node_pid[$name]}" 2>/dev/null || fail "the node '$name' ended before it was ready"
    ((SECONDS < deadline)) || fail "the node '$name' was not ready within 30 seconds"
    sleep 0.1
  done
}
