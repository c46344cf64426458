#!/usr/bin/env bash
# Installs the Debian packages that building and testing need, if any is missing; says nothing if none is. `install-deps.sh ssh` adds OpenSSH,
# which `make bench` compares with.
set -euo pipefail

missing=()
need() { # need PACKAGE CHECK...: the package is missing if the check fails
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
# sshd lies in a folder that is not in everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin

need pkg-config command -v pkg-config
need libuv1-dev pkg-config --exists libuv
need libsodium-dev pkg-config --exists libsodium
need libsqlite3-dev pkg-config --exists sqlite3
need git command -v git
need binutils command -v ld
need libc6-dev test -e /usr/include/stdio.h
# swift-crypto carries C++, and so does the static standard library.
need libstdc++-12-dev compgen -G '/usr/lib/gcc/*/*/libstdc++.a'
# For `make interop`.
need python3 command -v python3
need python3-venv python3 -c 'import venv, ensurepip'
if [[ ${1-} == ssh ]]; then
  need openssh-client command -v scp
  need openssh-server command -v sshd
fi

if ((${#missing[@]} == 0)); then
  exit 0
fi
echo "installing: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "this is not a Debian system: install the equivalents of ${missing[*]} and try again" >&2
  exit 1
fi
as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "not root and no sudo: run 'apt-get install ${missing[*]}' as root and try again" >&2
    exit 1
  fi
  as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
