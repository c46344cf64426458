#!/usr/bin/env bash
# The main job on real input: two people pair, one shares a LoRA, the other pulls it. Run by `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
makelora=${PAWL_MAKELORA:-$PWD/.build/release/pawl-makelora}
# shellcheck source=scripts/nodes.sh
source scripts/nodes.sh

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi

say() { printf '\n# %s\n' "$1"; }

# show NAME COMMAND...: prints a command line as a person would type it.
show() {
  local name=$1 line='' word
  shift
  for word in "$@"; do
    if [[ $word =~ ^[[:alnum:]@%+=:,./_-]+$ ]]; then line+=" $word"; else line+=" \"$word\""; fi
  done
  printf '%s%s$%s%s\n' "$bold" "$name" "$line" "$plain"
}

# run NAME COMMAND...: shows `pawl COMMAND...`, then runs it as that person.
run() {
  local name=$1
  shift
  show "$name" pawl "$@"
  as "$name" "$@"
}

say "A LoRA as kohya's sd-scripts writes it"
mkdir -p "$work/studio/output/anime-lora" "$work/laptop/models/loras"
"$makelora" "$work/studio/output/anime-lora/anime-lora.safetensors" >/dev/null
printf 'network_dim = 16\nnetwork_alpha = 8\nlearning_rate = 1e-4\nmax_train_epochs = 10\n' \
  >"$work/studio/output/anime-lora/training.toml"
show studio ls -l output/anime-lora
(cd "$work/studio" && ls -l output/anime-lora)

say "Two nodes; here both are on this machine"
show studio pawl up
start_node studio
cat "$work/studio.out"
show laptop pawl up
start_node laptop
cat "$work/laptop.out"

say "The studio invites, the laptop joins with the ticket"
show studio pawl invite laptop --no-wait
as studio invite laptop --no-wait >"$work/ticket"
[[ $(wc -l <"$work/ticket") == 1 ]] || fail "a ticket is one line"
printf '%.60s… (%d characters)\n' "$(<"$work/ticket")" "$(wc -m <"$work/ticket")"
show laptop pawl join -
as laptop join - <"$work/ticket"

say "Read these numbers to each other: equal means that nobody is between you"
run studio verify laptop
run laptop verify studio
number_of() { sed -n 's/.*"safety_number":"\([0-9]*\)".*/\1/p'; }
ours=$(as studio verify laptop --json | number_of)
theirs=$(as laptop verify studio --json | number_of)
[[ -n $ours && $ours == "$theirs" ]] || fail "the safety numbers differ: '$ours' and '$theirs'"
echo "(the two numbers are equal)"

say "Share it with the laptop only"
run studio share ./output/anime-lora --to laptop --note "v1 ready for review"

say "What the laptop sees"
run laptop ls studio
run laptop show studio/anime-lora

say "Pull it, check it"
run laptop pull studio/anime-lora -o ./models/loras
run laptop check anime-lora

say "The same bytes on both sides"
sent=$(cd "$work/studio/output" && find anime-lora -type f -print0 | sort -z | xargs -0 sha256sum)
received=$(cd "$work/laptop/models/loras" && find anime-lora -type f -print0 | sort -z | xargs -0 sha256sum)
show studio sha256sum "output/anime-lora/*"
echo "$sent"
show laptop sha256sum "models/loras/anime-lora/*"
echo "$received"
[[ -n $sent && $sent == "$received" ]] || fail "the files differ"

cat <<END

# It works. Next, on your own two machines:
#   make install                            puts pawl into /usr/local/bin (PREFIX=~/.local: into ~/.local/bin)
#   pawl up                                 on both; leave it running
#   pawl invite NAME                        on one; send the line it prints to the other over a channel you trust
#   pawl join -                             on the other; paste the line
#   pawl share FOLDER --to NAME             and on the other side: pawl pull PEER/FOLDER -o WHERE
END
