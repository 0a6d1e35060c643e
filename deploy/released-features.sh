#!/usr/bin/env bash
# Looks at what a release of a plugin is built from: its default features, and none of those of its dependencies that take a check away
# (libraries call them `danger-…`). Where the plugin has a feature that only tests have, it must not compile without debug assertions.
#
#   deploy/released-features.sh whatsapp-web
set -euo pipefail
cd "$(dirname "$0")/../plugins/$1"
cargo=${CARGO:-cargo}

refuse() {
  echo "plugins/$1: $2" >&2
  exit 1
}

# Without a network where everything is fetched already.
tree() { "$cargo" tree --locked --edges normal,build --prefix none --format '{p} {f}' "$@"; }
found=$(tree | grep -E '[ ,](danger|untrusted)[-_]' | sort -u || true)
[ -z "$found" ] || refuse "$1" "a release would have $found"

# The lines that refuse it are compiled alone: the rest of the plugin says nothing about them.
if grep -q '^untrusted-' Cargo.toml; then
  [ -n "$(tree --features untrusted-server | grep -E '[ ,]danger-' || true)" ] || refuse "$1" "nobody finds a feature that takes a check away"
  guard=$(grep -A1 '^#\[cfg(all(feature = "untrusted-server", not(debug_assertions)))\]' src/lib.rs || true)
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  echo "$guard" >"$folder/guard.rs"
  compiles() { "${RUSTC:-rustc}" --edition 2024 --crate-type lib --emit metadata --out-dir "$folder" "$@" "$folder/guard.rs" 2>"$folder/said"; }
  compiles --cfg 'feature="untrusted-server"' -C debug-assertions=on || refuse "$1" "tests cannot have untrusted-server: $(cat "$folder/said")"
  compiles -C debug-assertions=off || refuse "$1" "a release does not compile: $(cat "$folder/said")"
  if compiles --cfg 'feature="untrusted-server"' -C debug-assertions=off; then refuse "$1" "a release could be compiled with untrusted-server"; fi
  # Debug assertions are what tells a release from a test.
  if sed -n '/^\[profile\.release/,/^\[/p' Cargo.toml | grep -q debug-assertions; then refuse "$1" "a release has debug assertions"; fi
fi
