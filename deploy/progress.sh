#!/usr/bin/env bash
# Runs a long step of cargo and says how far it is. On a terminal that is cargo's own bar; elsewhere a line a minute, with what it works on,
# and the whole output when it fails. PROGRESS_SECONDS changes the minute.
set -uo pipefail

if [ -t 2 ]; then exec "$@"; fi

seconds=${PROGRESS_SECONDS:-60}
output=$(mktemp)
"$@" >"$output" 2>&1 &
step=$!
trap 'kill "$step" 2>/dev/null; wait "$step" 2>/dev/null; rm -f "$output"; exit 130' INT TERM
trap 'rm -f "$output"' EXIT

began=$SECONDS
next=$seconds
while kill -0 "$step" 2>/dev/null; do
  sleep 0.2
  if [ $((SECONDS - began)) -ge "$next" ]; then
    done=$(grep -cE '^ *(Compiling|Checking|Documenting) ' "$output")
    last=$(grep -E '^ *(Compiling|Checking|Documenting) ' "$output" | tail -1 | awk '{print $2}')
    echo "   $((SECONDS - began)) s: $done crates so far${last:+, now $last}"
    next=$((next + seconds))
  fi
done
wait "$step"
code=$?
if [ "$code" -ne 0 ]; then
  grep -vE '^ *(Compiling|Checking|Documenting|Downloaded|Downloading|Blocking|Updating|Locking) ' "$output" >&2
fi
exit "$code"
