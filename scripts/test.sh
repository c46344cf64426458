#!/usr/bin/env bash
# Runs all tests in two goes: first those that run in this process alone, then those that start processes, which take its descriptors along
# for a moment and the processors for longer. No test is left out: both numbers together must be that of `swift test list`. The last line is
# the test runner's own.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${SWIFT:=swift}"
# The suites in which a test starts a process. A test in Tests/TidyTests holds this list against the sources.
apart='^pawlTests\.|^(NodeTests|NoiseTests|PrimitivesTests|SessionTests)\.MemoryTests/|^StoreTests\.(KillTests|StateFolderTests|FreedBlockTests)/'
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The runner says "Test run with 12 tests in 3 suites passed after 1.2 seconds."
count() { sed -E -n 's/.*Test run with ([0-9]+) tests? .*/\1/p' "$log" | tail -1; }

all=$("$SWIFT" test list --disable-xctest | grep -cE '^[A-Za-z]+\.[^ ]+\(.*\)$')
"$SWIFT" test --disable-xctest --skip-build --skip "$apart" 2>&1 | tee "$log"
first=$(count)
"$SWIFT" test --disable-xctest --skip-build --filter "$apart" 2>&1 | tee "$log"
second=$(count)
if ((${first:-0} + ${second:-0} != all)); then
  echo "$((${first:-0} + ${second:-0})) tests ran, ${first:-0} and ${second:-0}, and there are $all" >&2
  exit 1
fi
