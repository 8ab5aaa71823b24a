#!/usr/bin/env bash
# Makes what the real-engine test runs on: a virtual environment with MLX's own server and the official client, and the
# tiny model. Both are kept, and made again when what they are made from changes.
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"

here=$root/tests/engine
engine=$target/engine

# print of the text on stdin: two inputs with the same one are the same.
fingerprint() { python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'; }

# is_made FOLDER FINGERPRINT
is_made() { [ "$(cat "$1/made-from" 2>/dev/null)" = "$2" ]; }

environment=$({ cat "$here/requirements.txt" && python3 -VV && say "$engine"; } | fingerprint)
if ! is_made "$engine/venv" "$environment"; then
    say "Installing the engine and the client from PyPI (about 400 MB) …"
    rm -rf "$engine/venv"
    mkdir -p "$engine"
    python3 -m venv "$engine/venv"
    "$engine/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt" ||
        stop 1 "The engine's Python packages could not be installed: see the lines above."
    say "$environment" >"$engine/venv/made-from"
fi

model=$({ cat "$here/tiny_model.py" && say "$environment"; } | fingerprint)
if ! is_made "$engine/tiny" "$model"; then
    say "Making the tiny model …"
    rm -rf "$engine/tiny"
    "$engine/venv/bin/python" "$here/tiny_model.py" "$engine/tiny"
    say "$model" >"$engine/tiny/made-from"
fi
