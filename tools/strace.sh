#!/usr/bin/env bash
# Makes sure that the power-cut test has strace: the system's, or Debian's. Without it that test says that it was skipped.
set -eu

if [ "$(uname)" != Linux ] || command -v strace >/dev/null; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "netra: installing Debian's strace; a few seconds"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq strace >/dev/null && exit 0
fi
echo "netra: strace is missing, so the power-cut test will be skipped; install it with your system's package manager" >&2
