#!/usr/bin/env bash
# Audits what we depend on: licences, bans and sources from the lock file alone, then known vulnerabilities, for which
# the public advisory database is fetched. Installs cargo-deny beside the build if it is not there (about 5 minutes).
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

# The version that deny.toml is written for.
deny_version=0.20.2
if ! has cargo-deny; then
    export PATH="$target/cargo-deny/bin:$PATH"
    has cargo-deny || cargo install cargo-deny --version "$deny_version" --locked --root "$target/cargo-deny"
fi
cargo-deny --locked check --hide-inclusion-graph licenses bans sources
cargo-deny --locked check --hide-inclusion-graph advisories
