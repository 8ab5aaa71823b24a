#!/usr/bin/env bash
# Looks for the toolchains that a change is checked with; for each one that cannot be installed by `make deps` it prints
# the one line to get it, and ends with 2.
#
# Usage: check-tools.sh             what building and testing everything takes
#        check-tools.sh terminal    what `make run` takes without a display: Rust and a C compiler
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

terminal=
case "${1:-}" in
"") ;;
terminal) terminal=1 ;;
*) stop 2 "Usage: tools/check-tools.sh [terminal]" ;;
esac

missing=0

lacks() {
    say "  $1 is missing. To get it: $2"
    missing=1
}

# lacks_package WHAT LINE-ON-A-MAC NAME: on Debian `make deps` gets it by itself.
lacks_package() {
    if is_debian && [ -z "$terminal" ]; then
        say "  $1 is missing; the step deps installs it."
    elif is_debian; then
        lacks "$1" "as root: apt-get update && apt-get install -y --no-install-recommends $3"
    elif [ "$(uname -s)" = Darwin ]; then
        lacks "$1" "$2"
    else
        lacks "$1" "install $3 with this system's package manager"
    fi
}

channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
rustup_line="rustup toolchain install $channel --profile minimal --component clippy,rustfmt"
if ! has cargo; then
    # shellcheck disable=SC2016 # a line to copy, nothing to expand
    lacks "Rust" "curl --proto =https --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain $channel --component clippy,rustfmt"
elif ! version=$(rustc --version 2>/dev/null); then
    lacks "Rust $channel" "$rustup_line"
else
    case "$version" in
    "rustc $channel "*) say "  $version" ;;
    *) lacks "Rust $channel (here is $version)" "$rustup_line" ;;
    esac
    [ -n "$terminal" ] || cargo clippy --version >/dev/null 2>&1 || lacks "clippy" "rustup component add clippy --toolchain $channel"
    [ -n "$terminal" ] || cargo fmt --version >/dev/null 2>&1 || lacks "rustfmt" "rustup component add rustfmt --toolchain $channel"
fi

if has cc; then
    say "  $(cc --version | head -n 1)"
else
    lacks_package "a C compiler (SQLite and ring are built with it)" "xcode-select --install" "gcc libc6-dev"
fi
[ -z "$terminal" ] || exit $((missing * 2))

if python_works; then
    say "  $(python3 --version)"
else
    lacks_package "Python $python_needed or newer with its venv module" "brew install python" python3
fi

if node_works; then
    say "  node $(node --version), npm $(npm --version)"
else
    lacks "Node $node_needed or newer with npm (here is $(node --version 2>/dev/null || say none))" \
        "https://nodejs.org/en/download, or on a Mac: brew install node"
fi

[ "$missing" = 0 ] || exit 2
