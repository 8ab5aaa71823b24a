#!/usr/bin/env bash
# Draws the PNGs (and the Mac's icns) in icons/ from the SVGs beside them. They are committed, so that only whoever changes
# an SVG needs rsvg-convert (Debian: librsvg2-bin, Homebrew: librsvg) and png2icns (icnsutils, libicns).
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root/icons"

has rsvg-convert && has png2icns || stop 2 "tools/icons.sh needs rsvg-convert and png2icns (Debian: librsvg2-bin icnsutils; Homebrew: librsvg libicns)."

# A face is 18 points, centred in the 22 of the menu bar; two pixels a point.
for face in off connecting serving attention needs; do
    rsvg-convert -w 36 -h 36 --page-width 44 --page-height 44 --left 4 --top 4 "tray-$face.svg" -o "tray-$face.png"
done
rsvg-convert -w 1024 -h 1024 app-icon.svg -o app-icon.png
sizes=()
for size in 16 32 128 256 512; do
    rsvg-convert -w "$size" -h "$size" app-icon.svg -o "$size.tmp.png"
    sizes+=("$size.tmp.png")
done
png2icns app-icon.icns "${sizes[@]}" app-icon.png >/dev/null
rm -f ./*.tmp.png
say "$(ls ./*.png ./*.icns | wc -l | tr -d ' ') files drawn in icons/"
