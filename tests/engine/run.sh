#!/usr/bin/env bash
# Runs the real-engine test against the debug build of porten and porten-hub (`make real-engine` builds them first).
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"

"$root/tests/engine/setup.sh"
# No byte code beside the sources, and every line of the report as it happens.
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
exec "$target/engine/venv/bin/python" "$root/tests/engine/real_engine.py" \
    --commands "$target/debug" --model "$target/engine/tiny" "$@"
