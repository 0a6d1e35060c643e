#!/usr/bin/env bash
# `changes/release.sh` checks the fragments and prints them together; `changes/release.sh VERSION` moves them into CHANGELOG.md.
set -euo pipefail
cd "$(dirname "$0")/.."

shopt -s nullglob
fragments=()
for file in changes/*.md; do [ "$file" = changes/README.md ] || fragments+=("$file"); done
notes=
[ ${#fragments[@]} = 0 ] || notes=$(awk -f changes/collect.awk "${fragments[@]}")

version=${1:-}
if [ -z "$version" ]; then
  printf '%s\n' "$notes"
  exit 0
fi
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.]+)?$ ]] || { echo "not a version: $version (for example 0.2.0)" >&2; exit 2; }
grep -q "^version = \"$version\"" Cargo.toml || { echo "Cargo.toml has another version than $version: set it there first" >&2; exit 1; }
grep -q '^## Unreleased$' CHANGELOG.md || { echo 'CHANGELOG.md has no "## Unreleased"' >&2; exit 1; }
if grep -q "^## $version " CHANGELOG.md; then echo "CHANGELOG.md has $version already" >&2; exit 1; fi

draft=$(mktemp CHANGELOG.XXXXXX)
trap 'rm -f "$draft"' EXIT
NOTES=$notes HEADING="## $version ($(date +%F))" awk '
  /^## Unreleased$/ { print; print ""; print ENVIRON["HEADING"]; if (ENVIRON["NOTES"] != "") { print ""; print ENVIRON["NOTES"] } next }
  { print }
' CHANGELOG.md > "$draft"
cat "$draft" > CHANGELOG.md
[ ${#fragments[@]} = 0 ] || rm -- "${fragments[@]}"
echo "CHANGELOG.md tells $version; read it, then commit and tag v$version"
