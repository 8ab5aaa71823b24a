# shellcheck shell=bash
# Read by the scripts beside it (bash 3.2, which is what a Mac has): words for a person, and Debian's packages.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where cargo builds, as an absolute path; the tools keep what they download there too.
target=${CARGO_TARGET_DIR:-$root/target}
case "$target" in /*) ;; *) target=$root/$target ;; esac

say() { printf '%s\n' "$*"; }

# stop CODE SENTENCE: ends the script. Codes as for the commands: 1 we broke, 2 something is missing or was asked wrongly.
stop() {
    local code=$1
    shift
    say "$*" >&2
    exit "$code"
}

has() { command -v "$1" >/dev/null 2>&1; }

# The oldest Python that the engine's test runs on: the official client and mlx ask for it.
python_needed=3.10
python_works() {
    python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))' \
        "$python_needed" 2>/dev/null
}

# The oldest Node that the popover's tools run on (ui/package.json).
node_needed=20.19
node_works() {
    node -e 'const [a, b] = process.versions.node.split(".").map(Number), [c, d] = process.argv[1].split(".").map(Number);
        process.exit(a > c || (a === c && b >= d) ? 0 : 1)' "$node_needed" 2>/dev/null && has npm
}

# A Debian, or something made from it.
is_debian() { has apt-get && has dpkg-query; }

in_ci() { [ "${CI:-}" = true ]; }

# as_root COMMAND…: runs it as root without ever asking for a password; fails where that cannot be.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# deb_missing PACKAGE…: those of them that are not installed, one a line.
deb_missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || say "$package"
    done
}
