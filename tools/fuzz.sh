#!/usr/bin/env bash
# Runs every fuzz target for a while: `tools/fuzz.sh [seconds]`, a minute each by default. The targets' bodies are property-tested by
# `cargo test` as well (src/server/fuzz.rs, src/server/agent/model/fuzz.rs), on any Rust; this needs nightly.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
missing=
rustc +nightly --version >/dev/null 2>&1 || missing="nightly Rust (\`rustup toolchain install nightly --profile minimal\`)"
cargo fuzz --version >/dev/null 2>&1 || missing="${missing:+$missing and }cargo-fuzz (\`cargo install cargo-fuzz --locked\`)"
if [ -n "$missing" ]; then
  echo "netra: NOT FUZZED: $missing is missing; the targets ran as property tests alone" >&2
  exit 0
fi
# Without a sanitizer, for there is no unsafe code to watch, and as a development build, which is there in a third of the time.
options=(--dev --sanitizer none)
# The dependencies are those of everything else.
[ -e fuzz/Cargo.lock ] || cp Cargo.lock fuzz/Cargo.lock
echo "netra: building the fuzz targets; about 6 minutes the first time"
cargo +nightly fuzz build "${options[@]}"
for target in fuzz/targets/*.rs; do
  name=$(basename "$target" .rs)
  echo "netra: fuzzing $name for $seconds s"
  cargo +nightly fuzz run "${options[@]}" "$name" -- -max_total_time="$seconds" -max_len=4096 -print_final_stats=1
done
