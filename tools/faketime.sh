#!/usr/bin/env bash
# Makes sure that the tests of a clock that jumps have libfaketime: the system's, or Debian's. Without it they say that they did
# not run.
set -eu

found() { compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null; }
if [ "$(uname)" != Linux ] || found; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "netra: installing Debian's libfaketime; a few seconds"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libfaketime >/dev/null && exit 0
fi
echo "netra: libfaketime is missing, so the tests of a clock that jumps will not run" >&2
