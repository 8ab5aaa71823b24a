#!/usr/bin/env bash
# `make run`: gets and builds whatever is missing, a line for each step and a sign of life for the long ones, then hands
# over to porten-tour, which starts the whole chain (its own words: tests/src/bin/porten-tour.rs).
#
# PORTEN_HUB_URL, PORTEN_ENGINE_URL   used instead of a Hub for development and a cluster made of software
# STAY=1                              without a display: stays after the first answer, until Ctrl-C
# HEADLESS=1                          as if there were no display
# MACS=3x128                          the Macs of the cluster made of software (porten-sim --help); any that exist will do
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

logs=$target/run
mkdir -p "$logs"

# step NAME COMMAND…: its output goes to a file; every 10 s its last line is shown, and if it fails the end of it.
step() {
    local name=$1 begun=$SECONDS shown=0 code=0
    shift
    printf '%-9s' "$name"
    "$@" >"$logs/$name.log" 2>&1 </dev/null &
    local work=$!
    # shellcheck disable=SC2064 # the work of now
    trap "kill $work 2>/dev/null; exit 130" INT TERM
    while kill -0 "$work" 2>/dev/null; do
        sleep 0.2
        if [ $((SECONDS - begun - shown)) -ge 10 ]; then
            shown=$((SECONDS - begun))
            printf '\n  %4s s  %s' "$shown" "$(tail -n 1 "$logs/$name.log" | cut -c 1-90)"
        fi
    done
    wait "$work" || code=$?
    trap - INT TERM
    if [ $code != 0 ]; then
        printf '\n'
        tail -n 30 "$logs/$name.log" >&2
        stop "$code" "make run: the step \"$name\" failed. All that it said is in $logs/$name.log"
    fi
    [ $shown = 0 ] || printf '\n%9s' ""
    printf 'done in %s s\n' "$((SECONDS - begun))"
}

has_display() {
    [ -z "${HEADLESS:-}" ] || return 1
    [ "$(uname -s)" = Darwin ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]
}

if has_display; then
    step tools tools/check-tools.sh
    step packages tools/deps.sh run
    step page tools/ui.sh build
    step programs cargo build --workspace --bins --locked
    if [ "$(uname -s)" = Darwin ]; then step bundle tools/bundle.sh; fi
    exec "$target/debug/porten-tour" --app
fi
# Without a display there is no app: neither its page (npm) nor its webview (packages, as root) is needed, and two fifths
# of the crates are not compiled.
step tools tools/check-tools.sh terminal
step programs cargo build --locked -p porten-cli -p porten-hub -p porten-sim -p porten-tests \
    --bin porten --bin porten-hub --bin porten-sim --bin porten-tour
exec "$target/debug/porten-tour" ${STAY:+--stay}
