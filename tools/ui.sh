#!/usr/bin/env bash
# The popover's page: fetches what it is made with (npm ci) and builds or tests it, each only where something changed.
#
# Usage: ui.sh build     makes ui/dist, which the app embeds
#        ui.sh test      types, lints, unit and component tests, then every story in Chromium, light and dark
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root/ui"

# newer STAMP PATH…: whether anything there is newer than the stamp, or there is no stamp.
newer() {
    local stamp=$1
    shift
    [ ! -e "$stamp" ] || [ -n "$(find "$@" -newer "$stamp" -print -quit)" ]
}

if newer node_modules/.stamp package.json package-lock.json; then
    npm ci --no-audit --no-fund
    touch node_modules/.stamp
fi

case "${1:-}" in
build)
    # The lock file stands for the tools; folders for files that were removed.
    if newer dist/index.html src public index.html package-lock.json ./*.ts ./*.js; then
        npm run build
        # Vite keeps the template's time.
        touch dist/index.html
    fi
    ;;
test)
    npm test
    npm run test:stories
    ;;
*)
    stop 2 "Usage: tools/ui.sh build|test"
    ;;
esac
