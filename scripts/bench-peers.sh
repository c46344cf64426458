#!/usr/bin/env bash
# What a node's start costs with many peers: time and CPU until it is ready, CPU of its first ten seconds, memory. Prints a table in Markdown.
# PEERS (1000) is how many, beside a node with ten. Nobody is at the peers' addresses, so all of them are dialed in vain.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
: "${PEERS:=1000}"
bench=${PAWL_SESSIONBENCH:-$PWD/.build/release/pawl-sessionbench}
# shellcheck source=scripts/nodes.sh
source scripts/nodes.sh
# shellcheck source=scripts/measure.sh
source scripts/measure.sh

declare -A start_ms=() ready_ms=() first_ms=() kib=()
ms() { awk -v t="$1" -v hz="$ticks_per_second" 'BEGIN { printf "%.0f", t / hz * 1000 }'; }

for count in 10 "$PEERS"; do
  name=with-$count
  start_node "$name"
  stop_process "${node_pid[$name]}"
  "$bench" peers "$count" "$work/$name/.pawl"
  began=$EPOCHREALTIME
  : >"$work/$name.out"
  start_node "$name"
  start_ms[$count]=$(awk -v s="$(seconds_since "$began")" 'BEGIN { printf "%.0f", s * 1000 }')
  ready_ms[$count]=$(ms "$(own_ticks "${node_pid[$name]}")")
  sleep 10
  first_ms[$count]=$(ms "$(own_ticks "${node_pid[$name]}")")
  kib[$count]=$(awk '/^VmRSS:/ { print $2 }' "/proc/${node_pid[$name]}/status")
  known=$(as "$name" peers --json | tail -n 1 | grep -o '"alias"' | wc -l)
  ((known == count)) || fail "the node knows $known peers instead of $count"
  stop_process "${node_pid[$name]}"
done

echo "| | 10 peers | $PEERS peers |"
echo "|---|---:|---:|"
echo "| start to ready, ms (to 100) | ${start_ms[10]} | ${start_ms[$PEERS]} |"
echo "| CPU to ready, ms | ${ready_ms[10]} | ${ready_ms[$PEERS]} |"
echo "| CPU of the first ten seconds, ms | ${first_ms[10]} | ${first_ms[$PEERS]} |"
echo "| memory, MiB | $((kib[10] / 1024)) | $((kib[$PEERS] / 1024)) |"
echo "| memory a peer, KiB | | $(((kib[$PEERS] - kib[10]) / (PEERS - 10))) |"
