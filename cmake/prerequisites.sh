#!/bin/bash
# cmake/prerequisites.sh [test]: checks that the tools of a build are there, and
# those of the C++ tests if asked. Installs Debian packages when run by root on
# a Debian-like system, otherwise says which are missing.
set -euo pipefail

python=${PYTHON:-python3}
missing=()
need() {  # need PACKAGE COMMAND...: PACKAGE unless COMMAND succeeds
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

at_least() {  # at_least COMMAND VERSION
  local found
  found=$("$1" --version | grep -oE '[0-9]+\.[0-9.]+' | head -n 1)
  [ "$(printf '%s\n' "$2" "$found" | sort -V | head -n 1)" = "$2" ]
}

need cmake at_least cmake 3.25
need ninja-build command -v ninja
need g++ command -v c++
need make command -v make
need ccache command -v ccache
need python3 command -v "$python"
need python3-venv "$python" -c 'import venv, ensurepip'
need python3-dev "$python" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")'
if [ "${1:-}" = test ]; then
  need libgtest-dev test -e /usr/src/googletest/googletest/CMakeLists.txt
  need libgmock-dev test -e /usr/src/googletest/googlemock/CMakeLists.txt
  # the smoke test of the benchmarks
  need nghttp2-client command -v h2load
  need strace command -v strace
  # the interoperability tests
  need golang-go command -v go
fi

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "-- installing Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    noise=$(mktemp)
    if ! { apt-get -q update && apt-get -q install -y --no-install-recommends "${missing[@]}"; } >"$noise" 2>&1 </dev/null
    then
      tail -n 30 "$noise" >&2
      echo "error: apt-get failed; all that it said is in $noise" >&2
      exit 1
    fi
    rm -f "$noise"
  else
    echo "error: these packages are missing (Debian's names): ${missing[*]}" >&2
    echo "       as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "error: $python is $("$python" --version), uvgrpc needs Python 3.11 or later; set PYTHON=" >&2
  exit 1
}
at_least cmake 3.25 || {
  echo "error: uvgrpc needs CMake 3.25 or later, found: $(cmake --version | head -n 1)" >&2
  exit 1
}
