#!/usr/bin/env bash
# Runs every fuzz target for a while: `tools/fuzz.sh [seconds]`, a minute each by default.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
if ! cargo fuzz --version >/dev/null 2>&1 || ! rustc +nightly --version >/dev/null 2>&1; then
  echo "netra: fuzzing is skipped; it wants \`rustup toolchain install nightly\` and \`cargo install cargo-fuzz\`"
  exit 0
fi
for target in fuzz/targets/*.rs; do
  echo "netra: fuzzing $(basename "$target" .rs) for $seconds s"
  cargo +nightly fuzz run "$(basename "$target" .rs)" -- -max_total_time="$seconds" -max_len=4096
done
