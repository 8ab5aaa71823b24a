#!/usr/bin/env bash
# Builds the Hub and the agent in release, and measures what attacks by one account, a stranger or a Hub do to others.
# What it takes and what the table means: docs/measurements.md. Arguments go to porten-bench --isolation (--help).
# PORTEN_BIN=FOLDER measures the programs there instead of building them.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

[ "$(uname -s)" = Linux ] || stop 2 "Only Linux has what this measures with."
# Attackers have addresses of their own (127.0.1.1 and others): loopback must be up, and nothing else is asked of it.
if [ -n "${PORTEN_BIN:-}" ]; then
    PORTEN_BIN=$(cd "$PORTEN_BIN" && pwd)
    export PORTEN_BIN
    cargo build --release --locked -p porten-bench
else
    cargo build --release --locked -p porten-bench -p porten-hub -p porten-cli
fi
exec "$target/release/porten-bench" --isolation "$@"
