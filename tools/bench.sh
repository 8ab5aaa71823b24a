#!/usr/bin/env bash
# Builds what a person would run, in release, and measures it: straight to an engine, and through Hub, tunnel and agent.
# What it takes and what the table means: docs/performance.md. Arguments go to porten-bench (--help).
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

case " $* " in *" --peers "*)
    # The other tunnels come from the crates' registry, into the target folder.
    [ -x "$target/peers/bin/rathole" ] && [ -x "$target/peers/bin/bore" ] ||
        cargo install --locked --root "$target/peers" rathole@0.5.0 bore-cli@0.6.0
    ;;
esac
cargo build --release --locked -p porten-bench -p porten-hub -p porten-cli
# (bash 3.2 takes an empty list for an unset one.) Other work on this machine is noise in both paths; where it is allowed, it stands back.
front=()
if nice -n -10 true 2>/dev/null && [ "$(nice -n -10 nice)" = -10 ]; then front=(nice -n -10); fi
case " $* " in *" --line "*)
    # A network of its own, whose packets may be held and lost: of root as it is, of others in a user namespace.
    user=()
    [ "$(id -u)" = 0 ] || user=(-r)
    front+=(unshare -n ${user[@]+"${user[@]}"} sh -c 'ip link set lo up && exec "$@"' sh)
    ;;
esac
exec ${front[@]+"${front[@]}"} "$target/release/porten-bench" "$@"
