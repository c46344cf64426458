#!/usr/bin/env bash
# One large file between two nodes on loopback, beside scp in the same run. Prints a table in Markdown.
# SIZE_MIB (1024) is the file's size, ROUNDS (3) how often each of the two carries it; TMPDIR says on which disk.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
: "${SIZE_MIB:=1024}" "${ROUNDS:=3}"
STEP_SECONDS=$((60 + SIZE_MIB / 4))
# shellcheck source=scripts/nodes.sh
source scripts/nodes.sh
# shellcheck source=scripts/measure.sh
source scripts/measure.sh
# shellcheck source=scripts/sshd.sh
source scripts/sshd.sh

size=$((SIZE_MIB * 1024 * 1024))
# At most one copy beside the source lies here at a time, and the readers need some room to breathe.
free_kib=$(df -Pk "$work" | awk 'NR == 2 { print $4 }')
((free_kib > SIZE_MIB * 1024 * 5 / 2)) || fail "$work has no room for two and a half times $SIZE_MIB MiB: set TMPDIR or SIZE_MIB"

on_exit() { stop_sshd; }

mkdir -p "$work/studio" "$work/laptop"
source_file=$work/studio/model.bin
head -c "$size" /dev/urandom >"$source_file"
digest=$(sha256sum <"$source_file")

start_node studio
start_node laptop
as studio invite laptop --no-wait | as laptop join - >/dev/null
started=$EPOCHREALTIME
as studio share ./model.bin --to laptop >/dev/null
share_seconds=$(seconds_since "$started")
start_sshd

pawl_rate=() pawl_send=() pawl_receive=() scp_rate=() scp_send=() scp_receive=()
scp_send_peak=0 scp_receive_peak=0

# check FILE: the copy is the original, then it goes.
check() {
  [[ $(sha256sum <"$1") == "$digest" ]] || fail "$1 is not what was sent"
  rm -rf "$1"
  sync -f "$work"
}

round_pawl() {
  local target=$work/laptop/round$1 before_send before_receive started seconds result
  mkdir -p "$target"
  before_send=$(own_ticks "${node_pid[studio]}")
  before_receive=$(own_ticks "${node_pid[laptop]}")
  started=$EPOCHREALTIME
  ticks_of_command as laptop pull studio/model.bin -o "$target" --no-progress --json >"$work/pull.json"
  seconds=$(seconds_since "$started")
  # Reading the file back is part of a pull's work, also where it goes on after the command has ended.
  wait_until_idle "${node_pid[laptop]}"
  wait_until_idle "${node_pid[studio]}"
  result=$(tail -n 1 "$work/pull.json")
  [[ $result =~ \"bytes_transferred\":([0-9]+) && ${BASH_REMATCH[1]} -ge $size ]] || fail "not every byte travelled: $result"
  pawl_rate+=("$(rate "$seconds")")
  pawl_send+=("$(per_gib $(($(own_ticks "${node_pid[studio]}") - before_send)))")
  pawl_receive+=("$(per_gib $(($(own_ticks "${node_pid[laptop]}") - before_receive + command_ticks)))")
  check "$target/model.bin"
}

round_scp() {
  local target=$work/laptop/scp$1 before_send started seconds
  before_send=$(family_ticks "$sshd_pid")
  start_peaks "$sshd_pid"
  started=$EPOCHREALTIME
  ticks_of_command over_ssh scp "127.0.0.1:$source_file" "$target"
  seconds=$(seconds_since "$started")
  wait_until_childless "$sshd_pid"
  stop_peaks
  ((server_peak > scp_send_peak)) && scp_send_peak=$server_peak
  ((client_peak > scp_receive_peak)) && scp_receive_peak=$client_peak
  scp_rate+=("$(rate "$seconds")")
  scp_send+=("$(per_gib $(($(family_ticks "$sshd_pid") - before_send)))")
  scp_receive+=("$(per_gib "$command_ticks")")
  check "$target"
}

for ((round = 1; round <= ROUNDS; round++)); do
  if ((round % 2)); then
    round_pawl "$round"
    round_scp "$round"
  else
    round_scp "$round"
    round_pawl "$round"
  fi
done

studio_peak=$(peak_kib "${node_pid[studio]}")
laptop_peak=$(peak_kib "${node_pid[laptop]}")

cat <<END

$SIZE_MIB MiB of random bytes over loopback, $ROUNDS rounds each, taking turns; $(nproc) cores, $(cpu_name), $(stat -f -c %T "$work").

| | pawl | scp, $ssh_cipher | pawl / scp |
|---|---:|---:|---:|
$(row 'MB/s' 0 pawl_rate scp_rate)
$(row 'CPU s per GiB, sending end' 2 pawl_send scp_send)
$(row 'CPU s per GiB, receiving end' 2 pawl_receive scp_receive)
$(peak_row 'peak memory, sending end, MiB' "$studio_peak" "$scp_send_peak")
$(peak_row 'peak memory, receiving end, MiB' "$laptop_peak" "$scp_receive_peak")

Median (lowest to highest). MB is a million bytes. Wall clock around the whole command, \`pawl pull\` and \`scp\`, the file in the page cache of the sender.
pawl checks every chunk against the signed manifest, flushes the file to disk and reads it back once; scp does none of these (it does not fsync).
CPU of pawl: the node, and on the receiving end the command, until the read-back is over; of scp: the client with its ssh; sshd with its children.
Memory of pawl: the node's peak over its whole life; of scp: the sum of the peaks of one end's processes, looked at five times a second.
\`pawl share\` hashed the file once beforehand, in $share_seconds s: not in the table.
Every copy had the original's SHA-256.
END
