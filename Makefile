# Two targets are all a newcomer needs: `make run` and `make test`. Each installs what is missing first.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
export PATH := $(CURDIR)/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)
export CARGO_TERM_COLOR ?= auto
# Sides of the release build that are built at a time: 2 take 6 GB of memory.
JOBS ?= 2

.PHONY: run build page library watch bench bench-ui bench-rewind lighthouse test test-long setup setup-watch browser faketime strace s3 agents lint unit e2e one-file clients fmt clean

# Addresses that the loader fills in take a tenth of the room when packed, which glibc reads from 2.36 on.
PACKED_RELOCATIONS := $(shell getconf GNU_LIBC_VERSION 2>/dev/null | awk '{ split($$2, v, "."); if (v[1] == 2 && v[2] >= 36) print "-C link-arg=-Wl,-z,pack-relative-relocs" }')

# Functions that came out the same are kept once, as linkers for Windows do by themselves: a part of the program's room. LLD can,
# which Rust links with on this target.
FOLDED := $(shell [ "$$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')" = x86_64-unknown-linux-gnu ] && echo "-C link-arg=-Wl,--icf=all")

run: build ## Build and serve on 127.0.0.1:3000
	./target/release/netra serve

build: setup ## One file with everything in it: target/release/netra
	@echo "netra: release build; about 8 minutes the first time"
	@# The page and the server have no crate in common that is compiled alike; together they keep every core busy to the end.
	@$(MAKE) --no-print-directory -j$(JOBS) page library
	cargo rustc --release --features ssr --bin netra -- --cfg netra_page $(PACKED_RELOCATIONS) $(FOLDED)

page:
	node tools/page.mjs release

library:
	cargo build --release --features ssr --lib

watch: setup setup-watch ## Rebuild and reload on every change
	cargo leptos watch --split

test: setup browser faketime strace s3 agents lint e2e clients unit ## Everything; ends with the Rust tests

test-long: setup browser faketime strace s3 agents one-file ## The same faults for longer, with figures
	@echo "netra: the long tests; about 90 minutes"
	NETRA_TEST_LONG=1 npm run --silent e2e
	NETRA_TEST_LONG=1 NETRA_SIM_HISTORIES=100000 cargo test --workspace --features ssr -- --nocapture
	./tools/fuzz.sh

bench: build ## Load tests and a comparison; see docs/benchmarks.md
	@echo "netra: load tests; about 10 minutes"
	cargo build --release -p netra-load
	./target/release/netra-load bench --out target/benchmarks.json

bench-ui: build browser ## The page's budgets, measured in Chromium; see docs/page.md
	@echo "netra: the page's budgets; about 5 minutes"
	NETRA_BIN=target/release/netra npx playwright test --config end2end/bench.config.ts

bench-rewind: build browser ## Rewind of 100,000 events, measured in Chromium; see docs/panel.md
	@echo "netra: two conversations of 100,000 events, and 1,000 points of each; about 6 minutes"
	NETRA_BIN=target/release/netra npx playwright test --config end2end/bench.config.ts rewind.bench.ts

lighthouse: build browser ## Lighthouse over three pages; fails under 95
	@echo "netra: Lighthouse; about 3 minutes, and a download the first time"
	node tools/lighthouse.mjs

setup: node_modules/.package-lock.json
	@./tools/setup.sh

setup-watch:
	@./tools/setup.sh watch

node_modules/.package-lock.json: package.json package-lock.json
	@echo "netra: installing npm packages; a few seconds"
	npm ci --no-audit --no-fund
	node tools/vendor.mjs

browser:
	@./tools/browser.sh

faketime:
	@./tools/faketime.sh

strace:
	@./tools/strace.sh

s3:
	@./tools/s3.sh

agents:
	@./tools/agents.sh

lint:
	cargo fmt --all --check
	npx prettier --check .
	npx tsc --project end2end
	npx tsc --project src/worker
	npm run --silent spec
	@echo "netra: clippy, server side; about 3 minutes the first time"
	cargo clippy --workspace --all-targets --features ssr -- -D warnings
	@echo "netra: clippy, browser side; about 1 minute the first time"
	cargo clippy --lib --features hydrate --target wasm32-unknown-unknown -- -D warnings

e2e: one-file
	npm run --silent e2e

one-file: ## Development build of both sides; target/one-file/netra carries the page as a release does
	@echo "netra: development build of both sides; about 4 minutes the first time"
	node tools/page.mjs embed
	cargo rustc --features ssr --bin netra -- --cfg netra_page
	mkdir -p target/one-file && cp target/debug/netra target/one-file/netra
	cargo build --features ssr

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
