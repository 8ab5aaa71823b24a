#!/usr/bin/env bash
# Installs the Debian packages that are needed and not there yet; on any other system it says what it needs and is done.
#
# Usage: deps.sh run     what building and starting takes
#        deps.sh test    and what the tests take besides
set -euo pipefail
. "$(dirname "$0")/common.sh"

# The one place that names packages. The app: a webview, a tray icon (loaded by name when it starts), the bus.
packages=(libwebkit2gtk-4.1-dev libayatana-appindicator3-dev libayatana-appindicator3-1 librsvg2-dev libdbus-1-dev pkg-config)
# A screen, a window manager's pictures, a driver for the popover's page, a browser for its stories; a keychain to store
# tokens in, on a message bus of the test's own; network namespaces (ip, unshare, nsenter) and packets lost in them;
# a service manager of a test's own.
for_tests=(xvfb xauth xdotool imagemagick fonts-dejavu-core fonts-inter webkit2gtk-driver chromium
    dbus dbus-x11 gnome-keyring libsecret-tools iproute2 iptables util-linux systemd)

case "${1:-}" in
run) ;;
test) packages+=("${for_tests[@]}") ;;
*) stop 2 "Usage: tools/deps.sh run|test" ;;
esac

if ! is_debian; then
    say "No Debian packages here ($(uname -s)). A Mac needs none of them: the tests that do are for Linux alone. On another Linux install what Debian calls ${packages[*]} yourself."
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
