#!/usr/bin/env bash
# Draws docs/pictures/NAME-light.png and NAME-dark.png from the stories of the real pages, the same every time.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

has chromium || stop 2 "The pictures are drawn in Chromium (package chromium)."
# What README and docs show; every other story is looked at by `make ui-check` alone.
shown=(serving attention loading signed-out signing-in-window signing-in-failed no-engine six-macs paused finishing mac-left why-no-requests
    settings settings-locked)
shots=$(mktemp -d)
trap 'rm -rf "$shots"' EXIT
tools/ui.sh pictures "$shots"
mkdir -p docs/pictures
for name in "${shown[@]}"; do
    for appearance in light dark; do
        [ -f "$shots/$name-$appearance.png" ] || stop 1 "There is no story $name any more: tools/pictures.sh lists what is shown."
        # 256 colours are enough for the page, and a third of the bytes.
        if has convert; then
            convert "$shots/$name-$appearance.png" -strip -dither None -colors 256 "PNG8:docs/pictures/$name-$appearance.png"
        else
            cp "$shots/$name-$appearance.png" docs/pictures/
        fi
    done
done
say "docs/pictures: ${#shown[@]} names, each light and dark."
