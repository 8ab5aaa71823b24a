#!/usr/bin/env bash
# Checks the whole workspace for macOS (types and lints, tests included). On a Mac that is the host's own clippy; on
# Debian it is a second Rust toolchain that brings the standard library's source along (docs/development.md says how).
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

if [ "$(uname -s)" = Darwin ]; then
    exec cargo clippy --workspace --all-targets --locked -- -D warnings
fi

toolchain=$target/macos-toolchain
fake=$root/tools/macos-fake
# The oldest compiler that may judge us.
rust_needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

# Nothing to check with: fine on somebody's own machine, a failure where Debian should have had the packages.
skip() {
    if in_ci && is_debian && grep -qx 'ID=debian' /etc/os-release; then stop 1 "$1"; fi
    say "$1 The macOS check is skipped."
    exit 0
}

# The version of rustc that Debian offers under the name of the web browsers' toolchain, e.g. 1.96.0+dfsg1-1~deb12u2.
candidate() { apt-cache policy rustc-web 2>/dev/null | sed -n 's/^  Candidate: \([0-9].*\)/\1/p'; }

new_enough() { [ -n "$1" ] && dpkg --compare-versions "$1" ge "$rust_needed"; }

# Downloads the packages and everything they need that this system lacks, and unpacks them into a folder: nothing is
# installed, and the system's own Rust is left alone. `reinstall` brings them even where they are installed.
unpack_toolchain() {
    local version=$1 fresh=$toolchain.new
    rm -rf "$fresh" "$toolchain"
    mkdir -p "$fresh/debs/partial"
    apt-get install --download-only --reinstall --no-install-recommends -y -q \
        -o Dir::Cache::archives="$fresh/debs" -o Debug::NoLocking=1 \
        rustc-web cargo-web rust-web-clippy rust-web-src libstd-rust-web-dev "libstd-rust-web-${version%.*}" || return 1
    local deb
    for deb in "$fresh"/debs/*.deb; do dpkg -x "$deb" "$fresh" || return 1; done
    rm -rf "$fresh/debs"
    say "$version" >"$fresh/version"
    mv "$fresh" "$toolchain" # a folder of this name is whole
}

if ! new_enough "$(cat "$toolchain/version" 2>/dev/null)"; then
    is_debian || skip "Checking for macOS from Linux needs Debian's rustc-web packages."
    # The lists of a fresh machine are empty or old.
    new_enough "$(candidate)" || as_root apt-get update -qq || true
    offered=$(candidate)
    new_enough "$offered" || skip "Debian offers no rustc-web of Rust $rust_needed or newer here (${offered:-none})."
    # A list that has aged names files that are gone: ask again with a fresh one.
    unpack_toolchain "${offered%%+*}" ||
        { as_root apt-get update -qq && offered=$(candidate) && unpack_toolchain "${offered%%+*}"; } ||
        skip "Debian's rustc-web packages could not be downloaded."
fi

# Only xcrun goes on PATH: build scripts for this machine must still find the real cc. RUSTC_BOOTSTRAP lets this stable
# compiler take -Zbuild-std. The compiler is newer than the project's own: lints that ours does not know stay silent.
export PATH="$toolchain/usr/bin:$fake/bin:$PATH"
libraries=("$toolchain"/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH="${libraries[0]}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export RUSTC="$toolchain/usr/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target/macos"
export CC_aarch64_apple_darwin="$fake/cc" AR_aarch64_apple_darwin="$fake/ar" SDKROOT="$fake"
exec "$toolchain/usr/bin/cargo" clippy --workspace --all-targets --locked \
    -Zbuild-std=std,panic_abort,test --target aarch64-apple-darwin -- -D warnings -A unknown_lints
