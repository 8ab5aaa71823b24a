#!/usr/bin/env bash
# Installs the Debian packages that are needed and not there yet; on any other system it says what it needs and is done.
#
# Usage: deps.sh run     to build and run the app
#        deps.sh test    that, and what the tests need
set -euo pipefail
. "$(dirname "$0")/common.sh"

# The app's webview, its tray icon and its icons; a message bus; and what `make run` asks a Hub with.
packages=(libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev libdbus-1-dev pkg-config curl)
case "${1:-}" in
run) ;;
test)
    # A keychain to store tokens in, on a message bus of the test's own; network namespaces (ip, unshare, nsenter).
    packages+=(dbus dbus-x11 gnome-keyring libsecret-tools iproute2 util-linux)
    # A display without a screen, what drives the webview, and a browser for the popover's stories.
    packages+=(xvfb xauth openbox imagemagick fonts-dejavu-core webkit2gtk-driver chromium)
    ;;
*) stop 2 "Usage: tools/deps.sh run|test" ;;
esac

if ! is_debian; then
    say "No Debian packages here ($(uname -s)). A Mac needs none of them: its webview and its menu bar are its own. On another Linux install what Debian calls ${packages[*]} yourself."
    exit 0
fi
# Any C compiler and any Python will do, wherever they come from.
has cc || packages+=(gcc libc6-dev)
python_works || packages+=(python3 python3-venv)

missing=()
while read -r package; do missing+=("$package"); done < <(deb_missing "${packages[@]}")
if [ ${#missing[@]} = 0 ]; then
    say "All ${#packages[@]} packages are installed."
    exit 0
fi

say "Missing: ${missing[*]}"
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}")
# The lists of a fresh machine are empty or old, and an old list names files that are gone.
if ! { as_root apt-get update -qq && as_root "${install[@]}" >/dev/null; }; then
    stop 2 "These packages could not be installed. As root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
fi
python_works || stop 2 "The tests need Python $python_needed or newer, and this Debian has $(python3 --version)."
