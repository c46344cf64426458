#!/usr/bin/env bash
# The session layer beside PyPI's unmodified vodozemac and DoubleRatchet in the same run, and its rate with every commit on the disk. Prints
# tables in Markdown. ROUNDS (5) is how often each of the three does all of its work, EACH (1) how many seconds each kind of work takes;
# TMPDIR says on which disk.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
: "${ROUNDS:=5}" "${EACH:=1}"
bench=${PAWL_SESSIONBENCH:-$PWD/.build/release/pawl-sessionbench}
venv=$PWD/.build/bench
packages=(vodozemac==0.10.0 DoubleRatchet==1.3.0)
# shellcheck source=scripts/measure.sh
source scripts/measure.sh

[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
if [[ $(cat "$venv/packages" 2>/dev/null) != "${packages[*]}" ]]; then
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  echo "${packages[*]}" >"$venv/packages"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/pawl-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

one_round() { # one_round NAME ROUND: appends what it prints to $work/NAME
  case $1 in
    pawl)
      mkdir "$work/state$2"
      "$bench" "$EACH" "$work/state$2" >>"$work/pawl"
      rm -rf "$work/state$2"
      ;;
    *) "$venv/bin/python" scripts/bench-session.py "$1" "$EACH" >>"$work/$1" ;;
  esac
}

contenders=(pawl vodozemac doubleratchet)
load_before=$(cut -d ' ' -f 1 /proc/loadavg)
for ((round = 0; round < ROUNDS; round++)); do
  for ((turn = 0; turn < 3; turn++)); do one_round "${contenders[(round + turn) % 3]}" "$round"; done
done
load_after=$(cut -d ' ' -f 1 /proc/loadavg)

# rates TITLE OURS THEIRS: a line of the table, from what the three printed under these names. A contender that printed nothing gets a dash.
rates() {
  awk -v title="$1" -v ours="$2" -v theirs="$3" '
    function summary(who,   n, v, i, j, t) {
      n = count[who]
      if (!n) { middle[who] = 0; return "–" }
      for (i = 1; i <= n; i++) v[i] = value[who, i]
      for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
      middle[who] = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
      return sprintf("%.0f (%.0f to %.0f)", middle[who], v[1], v[n])
    }
    { who = FILENAME; sub(/.*\//, "", who) }
    $1 == (who == "pawl" ? ours : theirs) { value[who, ++count[who]] = $2 }
    END {
      a = summary("pawl"); b = summary("vodozemac"); c = summary("doubleratchet")
      ratio = middle["vodozemac"] > 0 && middle["pawl"] > 0 ? sprintf("%.2f", middle["pawl"] / middle["vodozemac"]) : "–"
      printf "| %s | %s | %s | %s | %s |\n", title, a, b, c, ratio
    }' "$work/pawl" "$work/vodozemac" "$work/doubleratchet"
}

# shares: the table of primitives, medians in percent, without those that are nowhere.
shares() {
  sed -n 's/^share //p' "$work/pawl" | awk -F '|' '
    function median(key,   n, v, i, j, t) {
      n = count[key]
      for (i = 1; i <= n; i++) v[i] = value[key, i]
      for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
      return n ? v[int((n + 1) / 2)] : 0
    }
    !($2 in seen) { seen[$2] = 1; order[++rows] = $2 }
    { key = $1 SUBSEP $2; value[key, ++count[key]] = $3 + 0 }
    END {
      split("one-way pairs starts first-starts", work, " ")
      for (r = 1; r <= rows; r++) {
        line = "| " order[r]
        any = 0
        for (w = 1; w <= 4; w++) {
          share = median(work[w] SUBSEP order[r])
          if (share > 0.05 || share < -0.05) any = 1
          line = line " | " (share == 0 ? "–" : sprintf("%.1f", share))
        }
        if (any) print line " |"
      }
    }'
}

cat <<END

The session layer: $ROUNDS rounds of $EACH s for each kind of work, taking turns; $(nproc) cores, $(cpu_name), $(stat -f -c %T "$work"), load $load_before to $load_after.

| a second | pawl | ${packages[0]/==/ } | ${packages[1]/==/ } | pawl / vodozemac |
|---|---:|---:|---:|---:|
$(rates 'envelopes of 1 KiB, one way: sealed and opened' one-way one-way)
$(rates 'pairs, there and back, the ratchets turning with each envelope' pairs pairs)
$(rates 'session starts, prekeys ready' starts starts)
$(rates 'session starts, nothing prepared' first-starts none)
$(rates 'ratchets begun from a given secret' none ratchet-starts)
$(rates 'envelopes, every commit on the disk, one at a time' durable none)
$(rates 'envelopes, every commit on the disk, 64 together' durable-together none)
$(rates 'writes of one page that this disk makes durable' syncs none)

Median (lowest to highest). In memory: a second of one core's CPU time. On the disk: a second by the clock.
vodozemac (Rust) runs through its Python binding, DoubleRatchet is Python: both as pip installs them, unmodified. Neither does what ours does: pawl's envelopes hide their
headers and carry a post-quantum ratchet (2.3 kB in each until the chain is acknowledged), a turn is X25519 and ML-KEM-768, a start is X25519, ML-KEM-1024 and ML-KEM-768; vodozemac's start is X25519 alone, and DoubleRatchet has none.
pawl's rows are those of the machine a node runs (\`PeerMachine\`): with commits, outbox, acknowledgement and duplicates; in memory the commits are made and not stored. A start ends when the other side has
opened INIT and sealed its answer. Prekeys ready: signed, and verified, before. Nothing prepared: a one-time pair made, two ML-DSA-65 signatures made and verified.
On the disk: two nodes' databases on one disk, two commits an envelope (sent, with what was acknowledged before; received), or two for 64 envelopes that are ready together.

| share of the time, % | one way | pairs | starts | nothing prepared |
|---|---:|---:|---:|---:|
$(shares)

Each primitive timed alone, times how often it is done. All of HMAC, X25519 and ChaCha20-Poly1305 is libsodium, ML-KEM, ML-DSA and SHA-256 are BoringSSL's through swift-crypto.
END
