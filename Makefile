# Two targets are all a newcomer needs: `make run` and `make test`. Each installs what is missing first.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
export PATH := $(CURDIR)/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)
export CARGO_TERM_COLOR ?= auto

.PHONY: run build watch bench test test-long setup browser lint unit e2e clients fmt clean

run: build ## Build and serve on 127.0.0.1:3000
	./target/release/netra serve

build: setup ## Release build: target/release/netra and target/site
	@echo "netra: release build; about 13 minutes the first time"
	cargo leptos build --release
	node tools/precompress.mjs target/site

watch: setup ## Rebuild and reload on every change
	cargo leptos watch

test: setup browser lint e2e clients unit ## Everything; ends with the Rust tests

test-long: setup browser ## The same faults for longer, with figures
	@echo "netra: the long tests; about 30 minutes"
	cargo leptos build
	NETRA_TEST_LONG=1 npm run --silent e2e
	NETRA_TEST_LONG=1 NETRA_SIM_HISTORIES=100000 cargo test --workspace --features ssr -- --nocapture

bench: build ## Load tests and a comparison; see docs/benchmarks.md
	@echo "netra: load tests; about 10 minutes"
	cargo build --release -p netra-load
	./target/release/netra-load bench --out target/benchmarks.json

setup: node_modules/.package-lock.json
	@./tools/setup.sh

node_modules/.package-lock.json: package.json package-lock.json
	@echo "netra: installing npm packages; a few seconds"
	npm ci --no-audit --no-fund

browser:
	@./tools/browser.sh

lint:
	cargo fmt --all --check
	npx prettier --check .
	npx tsc --project end2end
	npm run --silent spec
	@echo "netra: clippy, server side; about 3 minutes the first time"
	cargo clippy --workspace --all-targets --features ssr -- -D warnings
	@echo "netra: clippy, browser side; about 1 minute the first time"
	cargo clippy --lib --features hydrate --target wasm32-unknown-unknown -- -D warnings

e2e:
	@echo "netra: development build of both sides; about 4 minutes the first time"
	cargo leptos build
	npm run --silent e2e

clients: clients/typescript/node_modules/.package-lock.json
	@echo "netra: the TypeScript client and the Python example against a real server; about 1 minute"
	cargo build --features ssr
	cd clients/typescript && npm test --silent

clients/typescript/node_modules/.package-lock.json: clients/typescript/package.json clients/typescript/package-lock.json
	cd clients/typescript && npm ci --no-audit --no-fund

unit:
	@echo "netra: Rust tests; about 2 minutes to build, 2 to run"
	cargo test --workspace --features ssr

fmt: ## Format everything
	cargo fmt --all
	npx prettier --write .

clean: ## Remove what builds made
	cargo clean
