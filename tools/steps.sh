#!/usr/bin/env bash
# Runs make targets one after the other, each under a heading, and stops at the first that fails. Ends with a table of
# what each one took and with one line that counts them.
#
# Usage: steps.sh TARGET…
set -uo pipefail
. "$(dirname "$0")/common.sh"
cd "$root" || exit 1

table=""
passed=0
failed=0
row() { table+=$(printf '  %-14s %8s  %s' "$1" "$2" "$3")$'\n'; }

whole=$SECONDS
for step in "$@"; do
    if [ "$failed" != 0 ]; then
        row "$step" "-" "not run"
        continue
    fi
    printf '\n==== %s ====\n' "$step"
    begun=$SECONDS
    if "${MAKE:-make}" --no-print-directory "$step" </dev/null; then
        passed=$((passed + 1)) outcome=passed
    else
        failed=$((failed + 1)) outcome=FAILED
    fi
    row "$step" "$((SECONDS - begun)) s" "$outcome"
    printf -- '---- %s: %s in %s s\n' "$step" "$outcome" "$((SECONDS - begun))"
done

printf '\n%s  %-14s %8s\n\n' "$table" "in all" "$((SECONDS - whole)) s"
skipped=$(($# - passed - failed))
if [ "$failed" = 0 ]; then
    printf '%s passed, 0 failed\n' "$passed"
else
    printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    exit 1
fi
