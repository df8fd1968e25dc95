#!/usr/bin/env bash
# Makes sure that the browser tests have a Chromium: the system's, Debian's, or Playwright's own.
set -eu

if command -v "${CHROMIUM:-chromium}" >/dev/null; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "netra: installing Debian's chromium; about 1 minute"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0
fi
echo "netra: installing Playwright's Chromium; about 1 minute"
npx playwright install chromium
