# The one interface for people and CI. `make` alone lists what there is; docs/development.md says more.
# CARGO_TARGET_DIR is respected: everything that is built or downloaded lands there (else in target/).

.DEFAULT_GOAL := help
.PHONY: help run install uninstall test check-tools deps types fmt ui ui-check clippy build unit soak fuzz doc check-macos real-engine picture pictures app-costs bench audit faults

# What a change must pass, in this order: cheap and telling first.
STEPS := check-tools deps fmt types ui-check clippy build unit doc check-macos real-engine

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

run: ## the app on this machine, with a Hub and an exo cluster made of software; without a display one chat in the terminal
	@tools/run.sh

install: ## the commands porten and porten-hub, into PREFIX/bin (PREFIX=~/.local unless you say otherwise)
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" tools/install.sh install

uninstall: ## takes them out of PREFIX/bin again
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" tools/install.sh uninstall

test: ## everything that a change must pass, step by step
	+@MAKE="$(MAKE)" tools/steps.sh $(STEPS)

check-tools: ## are the toolchains here? prints the line to get each one that is not
	@tools/check-tools.sh

deps: ## install the Debian packages that the tests need, if any is missing
	@tools/deps.sh test

fmt: ## is the code formatted? (cargo fmt formats it)
	cargo fmt --all --check

types: ## are the TypeScript types and the schema of --json those of the Rust code? (tools/types.sh write makes them so)
	@tools/types.sh check

ui: ## the popover's page (ui/dist), which the app holds
	@tools/ui.sh build

ui-check: ## the page's types, lints, tests and stories
	@tools/ui.sh check

clippy: ui ## our lints, as errors, for this system
	cargo clippy --workspace --all-targets --locked -- -D warnings

build: ui ## all programs: porten, porten-app, porten-hub, porten-sim and what make run starts
	cargo build --workspace --bins --locked

unit: build ## unit, property, documentation and whole-process tests (these run the commands just built)
	cargo test --workspace --exclude porten-cluster-tests --locked
	@# They wait more than they work.
	RUST_TEST_THREADS=8 cargo test -p porten-cluster-tests --locked

soak: build ## what takes minutes each: idle and stalled clusters, 100,000 requests over Hubs that restart, 10,000 simulated lives of a link
	cargo test -p porten-cluster-tests --locked -- --ignored --nocapture --test-threads 2
	cargo test -p porten-tests --locked -- --ignored --nocapture --test-threads 1 --skip the_app_is_there_at_once

fuzz: ## new bytes for all that reads strangers' bytes: SECONDS=60 for each, TARGET=NAME for one alone
	cargo run --release -p porten-tests --bin fuzz --locked -- $(or $(SECONDS),60) $(TARGET)

doc: ui ## the documentation of everything, also what is private, its warnings as errors
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked

check-macos: ui ## types and lints for macOS, also from Linux
	@tools/check-macos.sh

real-engine: build ## the commands just built, MLX's own server and the official OpenAI client, together
	@tests/engine/run.sh

faults: ## docs/faults.md, from what the tests say they show
	PORTEN_WRITE_FAULTS=1 cargo test -p porten-tests --test faults --locked

picture: build ## the picture in README, taken from the real app on a screen of its own
	@tools/picture.sh

app-costs: ui ## how soon the app and its popover are there, and what it holds while hidden (a release build; 10 minutes)
	cargo build --release --locked --workspace --bins
	cargo test --release --locked -p porten-tests --test app_costs -- --ignored --nocapture

pictures: ## docs/pictures, the popover and the settings in light and dark, from the stories of the real pages
	@tools/pictures.sh

bench: ## how fast: straight to an engine, and through Hub, tunnel and agent (4 minutes once built)
	@tools/bench.sh

audit: ## licences, bans and known vulnerabilities of what we depend on (installs cargo-deny)
	@tools/audit.sh
