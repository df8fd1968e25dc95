#!/usr/bin/env bash
# Installs what building needs and is missing: the wasm target; with `watch`, also wasm-bindgen's CLI and cargo-leptos.
set -eu

if ! rustup target list --installed | grep -qx wasm32-unknown-unknown; then
  echo "netra: adding the wasm target; a few seconds"
  rustup target add wasm32-unknown-unknown
fi

[ "${1-}" = watch ] || exit 0

# wasm-bindgen's CLI must have the lock file's version; cargo-leptos 0.3.8 is the newest for this Rust.
BINDGEN=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
LEPTOS=0.3.8

if [ "$(wasm-bindgen --version 2>/dev/null | cut -d' ' -f2)" != "$BINDGEN" ]; then
  echo "netra: installing wasm-bindgen-cli $BINDGEN; about 2 minutes"
  cargo install wasm-bindgen-cli --version "$BINDGEN" --locked --force
fi

if [ "$(cargo leptos --version 2>/dev/null | cut -d' ' -f2)" != "$LEPTOS" ]; then
  if command -v cargo-binstall >/dev/null; then
    echo "netra: installing cargo-leptos $LEPTOS; a few seconds"
    cargo binstall --no-confirm "cargo-leptos@$LEPTOS"
  else
    echo "netra: installing cargo-leptos $LEPTOS; about 5 minutes"
    # A debug build of the tool takes less than half the time, and builds Netra as fast.
    cargo install cargo-leptos --version "$LEPTOS" --locked --force --debug
  fi
fi
