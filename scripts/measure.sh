# shellcheck shell=bash
# shellcheck disable=SC2034 # results are left in variables of the script that sources this file
# What a process and its children cost, from /proc; for scripts that source this file.

ticks_per_second=$(getconf CLK_TCK)

# seconds_since START: the seconds between two values of EPOCHREALTIME.
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'; }

# rate SECONDS: megabytes a second, for a file of $size bytes.
rate() { awk -v n="${size:?}" -v s="$1" 'BEGIN { printf "%.1f", n / 1e6 / s }'; }

# per_gib TICKS: CPU seconds for each GiB of a file of $size bytes.
per_gib() { awk -v t="$1" -v hz="$ticks_per_second" -v n="${size:?}" 'BEGIN { printf "%.3f", t / hz / n * 1073741824 }'; }

# stat_fields PID: the fields of /proc/PID/stat from the third on, whatever the name in the second holds.
stat_fields() {
  local line
  line=$(<"/proc/$1/stat")
  echo "${line##*) }"
}

# own_ticks PID: user and system time of all its threads, in clock ticks.
own_ticks() {
  local -a fields
  read -ra fields <<<"$(stat_fields "$1")"
  echo $((fields[11] + fields[12]))
}

# family_ticks PID: the same, with the children it has waited for.
family_ticks() {
  local -a fields
  read -ra fields <<<"$(stat_fields "$1")"
  echo $((fields[11] + fields[12] + fields[13] + fields[14]))
}

# ticks_of_command COMMAND...: runs it and leaves the user and system time of everything it started in command_ticks.
ticks_of_command() {
  local before
  before=$(family_ticks "$$")
  "$@"
  command_ticks=$(($(family_ticks "$$") - before))
}

# peak_kib PID: the most memory it ever held.
peak_kib() { awk '/^VmHWM:/ { print $2 }' "/proc/$1/status"; }

# wait_until_idle PID: until it has used next to no CPU for half a second.
wait_until_idle() {
  local pid=$1 before now deadline=$((SECONDS + 120))
  before=$(own_ticks "$pid")
  while ((SECONDS < deadline)); do
    sleep 0.5
    now=$(own_ticks "$pid")
    ((now - before <= ticks_per_second / 50)) && return
    before=$now
  done
  fail "process $pid does not come to rest"
}

# wait_until_childless PID: until every process it started has ended and been waited for.
wait_until_childless() {
  local deadline=$((SECONDS + 30))
  while [[ -n $(<"/proc/$1/task/$1/children") ]]; do
    ((SECONDS < deadline)) || fail "process $1 still has children"
    sleep 0.05
  done
}

# sum_peaks PID FILE: the peaks of all processes beneath PID, each kept in FILE under its id, the highest seen.
sum_peaks() {
  local pid kib
  for pid in $(<"/proc/$1/task/$1/children"); do
    kib=$(peak_kib "$pid" 2>/dev/null) || continue
    [[ -n $kib ]] && echo "$pid $kib" >>"$2"
    sum_peaks "$pid" "$2" 2>/dev/null || true
  done
}

# total_peak FILE
total_peak() { awk '{ if ($2 > most[$1]) most[$1] = $2 } END { for (p in most) sum += most[p]; print sum + 0 }' "$1"; }

# start_peaks SERVER: watches the processes beneath the one in client.pid and those beneath SERVER until stop_peaks, which leaves server_peak and client_peak.
start_peaks() {
  : >"${work:?}/server.peaks"
  : >"$work/client.peaks"
  (
    set +e
    trap - EXIT
    while :; do
      sum_peaks "$1" "$work/server.peaks" 2>/dev/null
      client=$(<"$work/client.pid") 2>/dev/null
      [[ -n $client ]] && sum_peaks "$client" "$work/client.peaks" 2>/dev/null
      sleep 0.2
    done
  ) 2>/dev/null &
  watcher=$!
}

stop_peaks() {
  stop_process "$watcher"
  server_peak=$(total_peak "$work/server.peaks")
  client_peak=$(total_peak "$work/client.peaks")
}

cpu_name() { awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo; }

# row TITLE DIGITS OURS THEIRS: a line of the table, from two arrays named OURS and THEIRS.
row() {
  local -n ours=$3 theirs=$4
  awk -v title="$1" -v digits="$2" -v a="${ours[*]}" -v b="${theirs[*]}" '
    function summary(text,   v, n, i, j, t, middle) {
      n = split(text, v, " ")
      for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
      median = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
      return sprintf(format, median, v[1], v[n])
    }
    BEGIN {
      one = "%." digits "f"
      format = one " (" one " to " one ")"
      x = summary(a); first = median
      y = summary(b)
      printf "| %s | %s | %s | %.2f |\n", title, x, y, (median > 0 ? first / median : 0)
    }'
}

# peak_row TITLE OURS_KIB THEIRS_KIB
peak_row() {
  awk -v title="$1" -v a="$2" -v b="$3" \
    'BEGIN { printf "| %s | %.1f | %.1f | %.2f |\n", title, a / 1024, b / 1024, (b > 0 ? a / b : 0) }'
}
