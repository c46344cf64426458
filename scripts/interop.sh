#!/usr/bin/env bash
# Holds the built node against what is not Pawl: the Python peer's own tests, vectors and published libraries (Interop/checks), and the peer
# against the real node (Interop/live). Everything Python lives in a virtual environment under .build. Seeds are printed when something fails;
# PAWL_SEED=N repeats a run. PAWL names another binary than the debug build; arguments choose suites: peer, checks, live.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${SWIFT:=swift}" "${SUITE_SECONDS:=600}"
venv=$PWD/.build/interop
suites=("$@")
((${#suites[@]})) || suites=(peer checks live)

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "the Python peer needs Python 3.11 or later; python3 is $(python3 -V)" >&2
  exit 1
}

# Installed again when any source of it, or a requirement, has changed.
requirements=(Interop/checks/requirements*.txt)
[[ -e ${requirements[0]} ]] || requirements=()
stamp=$(cat Interop/peer/pyproject.toml Interop/peer/README.md Interop/peer/pawl_peer/*.py "${requirements[@]}" scripts/interop.sh | sha256sum)
if [[ ! -x $venv/bin/python || $(cat "$venv/stamp" 2>/dev/null) != "$stamp" ]]; then
  [[ -x $venv/bin/python ]] || python3 -m venv "$venv"
  arguments=(Interop/peer)
  for file in "${requirements[@]}"; do arguments+=(-r "$file"); done
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${arguments[@]}"
  # The same version again: pip looks at the number alone.
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall Interop/peer
  rm -rf Interop/peer/build Interop/peer/*.egg-info
  echo "$stamp" >"$venv/stamp"
fi

run() { # run FOLDER: its unit tests
  echo "interop: $1"
  timeout --foreground "$SUITE_SECONDS" "$venv/bin/python" -m unittest discover --start-directory "Interop/$1" --top-level-directory "Interop/$1" --buffer
}

for suite in "${suites[@]}"; do
  case $suite in
    peer) run peer/tests ;;
    checks) run checks ;;
    live)
      if [[ -z ${PAWL-} ]]; then
        "$SWIFT" build --product pawl
        PAWL=$("$SWIFT" build --show-bin-path)/pawl
      fi
      export PAWL
      run live
      ;;
    *)
      echo "there is no suite called '$suite': peer, checks, live" >&2
      exit 2
      ;;
  esac
done
