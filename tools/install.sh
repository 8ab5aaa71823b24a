#!/usr/bin/env bash
# Builds the commands porten and porten-hub and puts them into $DESTDIR$PREFIX/bin; or takes them out again. No root is needed
# where that folder can be written.
#
# Usage: PREFIX=~/.local install.sh install
#        PREFIX=~/.local install.sh uninstall
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

prefix=${PREFIX:-$HOME/.local}
case "$prefix" in /*) ;; *) stop 2 "PREFIX is $prefix; write the whole path, from / on." ;; esac
into=${DESTDIR:-}$prefix/bin

case "${1:-}" in
install)
    has cargo || stop 2 "There is no cargo; get Rust from https://rustup.rs, then run make install again."
    { mkdir -p "$into" 2>/dev/null && [ -w "$into" ]; } ||
        stop 1 "$into cannot be written; choose another folder, as in: make install PREFIX=\$HOME/.local"
    cargo build --release --locked -p porten-cli -p porten-hub
    for program in porten porten-hub; do
        # A program that runs is not written over: the new one takes its name.
        install -m 755 "$target/release/$program" "$into/.$program.new"
        mv -f "$into/.$program.new" "$into/$program"
    done
    say "porten and porten-hub are in $into."
    case ":$PATH:" in
    *":$prefix/bin:"*) ;;
    *) say "Your PATH does not have that folder; until it does: export PATH=\"$prefix/bin:\$PATH\"" ;;
    esac
    ;;
uninstall)
    rm -f "$into/porten" "$into/porten-hub"
    say "porten and porten-hub are not in $into any more. Settings and sign-ins are where they were (porten config)."
    ;;
*) stop 2 "Usage: tools/install.sh install|uninstall" ;;
esac
