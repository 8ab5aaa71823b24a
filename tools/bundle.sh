#!/usr/bin/env bash
# Puts the built app into a bundle beside it, target/debug/Porten.app: macOS gives menu-bar icons, a name and keychain
# items to bundles. It is signed for this Mac only.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ "$(uname -s)" = Darwin ] || stop 2 "A bundle is for a Mac."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
bundle=$target/debug/Porten.app
rm -rf "$bundle"
mkdir -p "$bundle/Contents/MacOS" "$bundle/Contents/Resources"
cp "$target/debug/porten-app" "$bundle/Contents/MacOS/"
cp "$root/icons/app-icon.icns" "$bundle/Contents/Resources/"
cat >"$bundle/Contents/Info.plist" <<PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>CFBundleIdentifier</key><string>ai.porten.app</string>
    <key>CFBundleName</key><string>Porten</string>
    <key>CFBundleExecutable</key><string>porten-app</string>
    <key>CFBundleIconFile</key><string>app-icon</string>
    <key>CFBundlePackageType</key><string>APPL</string>
    <key>CFBundleVersion</key><string>$version</string>
    <key>CFBundleShortVersionString</key><string>$version</string>
    <key>LSMinimumSystemVersion</key><string>14.5</string>
    <key>LSUIElement</key><true/>
    <key>NSHighResolutionCapable</key><true/>
</dict>
</plist>
PLIST
codesign --force --sign - "$bundle"
say "$bundle"
