#!/usr/bin/env bash
# The TypeScript types of the snapshot and the commands, made from the Rust types by ts-rs into ui/src/bindings; and the
# JSON Schema of what `porten … --json` answers, made of them and of crates/porten-cli/schema into docs/json.schema.json.
#
# Usage: types.sh write    makes the files anew
#        types.sh check    fails if they differ from the Rust code
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

fresh=$target/bindings
rm -rf "$fresh"
TS_RS_EXPORT_DIR=$fresh TS_RS_LARGE_INT=number \
    cargo test -q -p porten-core --lib --features ts --locked export_bindings >/dev/null

case "${1:-}" in
write)
    rm -rf ui/src/bindings
    cp -R "$fresh" ui/src/bindings
    python3 tools/json-schema.py docs/json.schema.json
    ;;
check)
    diff -r "$fresh" ui/src/bindings || stop 1 "ui/src/bindings is not what the Rust types say: tools/types.sh write"
    python3 tools/json-schema.py "$target/json.schema.json"
    diff "$target/json.schema.json" docs/json.schema.json ||
        stop 1 "docs/json.schema.json is not what the types say: tools/types.sh write"
    say "$(find "$fresh" -name '*.ts' | wc -l | tr -d ' ') files are what the Rust types say."
    ;;
*) stop 2 "Usage: tools/types.sh write|check" ;;
esac
