#!/usr/bin/env bash
# Many small files between two nodes on loopback, beside tar through a pipe in the same run. Prints tables in Markdown.
# COUNTS ("20000 100000") are the numbers of files, two of them; each has 100 bytes. TMPDIR says on which disk.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
: "${COUNTS:=20000 100000}" "${STEP_SECONDS:=600}"
# What a node and a command may hold at most, in MiB.
limit_mib=200
# shellcheck source=scripts/nodes.sh
source scripts/nodes.sh
# shellcheck source=scripts/measure.sh
source scripts/measure.sh

declare -A took=() peak=()

# run KEY COMMAND...: runs it; leaves its seconds in took[KEY] and its peak in KiB in peak[KEY].
run() {
  local key=$1 started
  shift
  started=$EPOCHREALTIME
  python3 - "$work/peak" "$@" <<'PYTHON'
import resource, subprocess, sys

code = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL).returncode
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
PYTHON
  took[$key]=$(seconds_since "$started")
  peak[$key]=$(<"$work/peak")
}

# ask NAME KEY COMMAND...: the same for `pawl COMMAND...` of that node.
ask() {
  local name=$1 key=$2
  shift 2
  PAWL_HOME="$work/$name/.pawl" run "$key" timeout --foreground "$STEP_SECONDS" "$pawl" "$@" >"$work/$key.out"
}

make_files() {
  python3 - "$1" "$2" <<'PYTHON'
import os, sys

root, count = sys.argv[1], int(sys.argv[2])
for number in range(count):
    folder = f"{root}/caption-{number // 1000:03}"
    if number % 1000 == 0:
        os.makedirs(folder)
    with open(f"{folder}/image-{number:06}.txt", "w") as file:
        file.write(f"{number:099}\n")
PYTHON
}

measure() {
  local count=$1 seconds
  start_node "studio"
  start_node "laptop"
  as studio invite laptop --no-wait | as laptop join - >/dev/null
  make_files "$work/studio/many" "$count"
  # The node of a whole artifact's life: what it holds at its highest counts.
  ask studio "share$count" share "$work/studio/many" --to laptop
  ask studio "show$count" show many --json
  ask studio "ls$count" ls
  ask laptop "peer_ls$count" ls studio
  ask laptop "peer_show$count" show studio/many
  ask laptop "pull$count" pull studio/many -o "$work/laptop/copy" --no-progress
  ask laptop "pull_json$count" pull studio/many -o "$work/laptop/copy" --json --no-progress
  [[ $(tail -n 1 "$work/pull_json$count.out") =~ \"bytes_transferred\":0, ]] || fail "the second pull fetched something"
  diff -r "$work/studio/many" "$work/laptop/copy/many" || fail "what was pulled is not what was shared"
  peak[studio$count]=$(peak_kib "${node_pid[studio]}")
  peak[laptop$count]=$(peak_kib "${node_pid[laptop]}")
  mkdir "$work/laptop/tar"
  run "tar$count" bash -c 'tar -C "$1" -c many | tar -C "$2" -x && sync -f "$2"' bash "$work/studio" "$work/laptop/tar"
  for name in studio laptop; do
    stop_process "${node_pid[$name]}"
    unset "node_pid[$name]"
    rm -rf "${work:?}/$name" "$work/$name.out"
  done
}

read -r few many <<<"$COUNTS"
measure "$few"
measure "$many"

# line TITLE KEY: seconds of both runs, how much longer a file takes among many, and the peaks.
line() {
  awk -v title="$1" -v a="${took[$2$few]}" -v b="${took[$2$many]}" -v n="$few" -v m="$many" \
    -v p="${peak[$2$few]}" -v q="${peak[$2$many]}" \
    'BEGIN { printf "| %s | %.2f | %.2f | %.2f | %.1f | %.1f |\n", title, a, b, (b / m) / (a / n), p / 1024, q / 1024 }'
}

node_line() {
  awk -v title="$1" -v p="${peak[$2$few]}" -v q="${peak[$2$many]}" \
    'BEGIN { printf "| %s | | | | %.1f | %.1f |\n", title, p / 1024, q / 1024 }'
}

cat <<END

Files of 100 bytes in folders of 1,000, over loopback; $(nproc) cores, $(cpu_name), $(stat -f -c %T "$work").

| | s, $few | s, $many | a file of many / of few | peak MiB, $few | peak MiB, $many |
|---|---:|---:|---:|---:|---:|
$(line 'pawl share' share)
$(line 'pawl show, own' show)
$(line 'pawl ls, own' ls)
$(line 'pawl ls of the peer' peer_ls)
$(line 'pawl show of the peer' peer_show)
$(line 'pawl pull' pull)
$(line 'pawl pull, all of it there' pull_json)
$(line 'tar through a pipe, sync' tar)
$(node_line 'the node that shares' studio)
$(node_line 'the node that pulls' laptop)

Wall clock around the whole command. Memory of a command is its own, of a node its highest in all of it; the limit of each is $limit_mib MiB.
pawl checks every file against the signed manifest, flushes each to disk and reads it back; tar does one sync at the end.
END

for key in "${!peak[@]}"; do
  [[ $key == tar* ]] && continue
  ((peak[$key] <= limit_mib * 1024)) || echo "above the limit: $key, $((peak[$key] / 1024)) MiB" >&2
done
