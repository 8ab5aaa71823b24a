#!/usr/bin/env bash
# The popover's and the settings' pages.
#
# Usage: ui.sh build          installs its tools if they changed, and makes ui/dist if its sources did
#        ui.sh check          types, lints, unit tests, and in Chromium each story, the keyboard and what is said aloud
#        ui.sh pictures DIR   each story as a picture
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root/ui"

node_works || stop 2 "The popover is built with Node $node_needed or newer; make check-tools says how to get it."

# A stamp of what the result was made from, so that a second run is quick and a changed file is seen.
stamp() { cat "$@" | cksum; }
fresh() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

install() {
    local now
    now=$(stamp package.json package-lock.json)
    fresh node_modules/.porten "$now" && return
    npm ci --no-progress --loglevel=error
    printf '%s' "$now" >node_modules/.porten
}

build() {
    install
    local now
    now=$(find src index.html settings.html vite.config.ts svelte.config.js package-lock.json -type f ! -name '*.test.ts' | LC_ALL=C sort | tr '\n' '\0' | xargs -0 cat | cksum)
    fresh dist/.porten "$now" && { say "ui/dist is up to date."; return; }
    npm run --silent build
    printf '%s' "$now" >dist/.porten
    say "ui/dist is built."
}

case "${1:-}" in
build) build ;;
check)
    build
    npm run --silent check
    npm run --silent lint
    npm run --silent test
    if has chromium; then
        npm run --silent stories
        npm run --silent keyboard
    elif is_debian; then
        stop 1 "The stories are looked at in Chromium (package chromium)."
    else
        say "There is no chromium on the path: the stories are not looked at."
    fi
    ;;
pictures)
    build
    npm run --silent stories -- --shots "${2:?ui.sh pictures DIR}"
    ;;
*) stop 2 "Usage: tools/ui.sh build|check|pictures DIR" ;;
esac
