#!/usr/bin/env bash
# Takes docs/pictures/app.png from the real app: a screen of its own, a Hub, three Macs made of software, one chat running.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

if [ "${1:-}" != inside ]; then
    has xvfb-run && has xdotool && has import || stop 2 "The picture takes xvfb, xdotool and imagemagick: tools/deps.sh test"
    runtime=$(mktemp -d)
    trap 'rm -rf "$runtime"' EXIT
    chmod 700 "$runtime"
    XDG_RUNTIME_DIR=$runtime GDK_SCALE=2 GSETTINGS_BACKEND=memory NO_AT_BRIDGE=1 \
        xvfb-run -a -s '-screen 0 2560x1600x24 -nolisten tcp' dbus-run-session -- "$0" inside
    exit
fi

said=$(mktemp)
"$target/debug/porten-tour" --app >"$said" &
tour=$!
trap 'kill $tour 2>/dev/null || true; wait $tour 2>/dev/null || true; rm -f "$said"' EXIT
until grep -q 'curl -N' "$said"; do
    kill -0 $tour 2>/dev/null || stop 1 "The app did not come up: $(cat "$said")"
    sleep 0.2
done
# A few answers, to be serving while the picture is taken.
url=$(sed -n "s/.*curl -N \([^ ]*\) .*/\1/p" "$said")
key=$(sed -n "s/.*\(Authorization: [^']*\)'.*/\1/p" "$said")
body='{"model":"deepseek-v4-flash","stream":true,"max_tokens":60,"messages":[{"role":"user","content":"Tell me of three Macs."}]}'
for _ in 1 2 3 4 5 6; do curl -sN "$url" -H "$key" -H 'Content-Type: application/json' -d "$body"; done >/dev/null &
sleep 4
mkdir -p docs/pictures
import -window "$(xdotool search --onlyvisible --name '^Porten$' | head -n 1)" -depth 8 docs/pictures/app.png
say "docs/pictures/app.png: $(identify -format '%wx%h' docs/pictures/app.png)"
