#!/usr/bin/env bash
# Judges a plugin with a workspace of its own as `make test` judges the gateway: format, dependencies, Clippy, tests. Clippy is the compiler
# of its own crates in the one build that the tests run from, so that what it depends on is compiled once.
#
#   deploy/test-plugin.sh matrix                     plugins/matrix
#   deploy/test-plugin.sh matrix some-feature,more   with features that only tests have
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
plugin=$1
features=(${2:+--features "$2"})
cargo=${CARGO:-cargo}
cd "plugins/$plugin"

echo "== plugin $plugin: format and dependencies"
"$cargo" fmt --check
"$root/deploy/released-features.sh" "$plugin"
"$cargo" deny --config .deny.toml --log-level error check bans licenses sources
if timeout 60 "$cargo" deny --config .deny.toml --log-level off fetch db >/dev/null 2>&1; then
  "$cargo" deny --config .deny.toml --log-level error check --disable-fetch advisories
else
  echo "   advisories: left out, their database cannot be fetched here"
fi

# One environment for both: another one would compile again.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS="-Dwarnings__CLIPPY_HACKERY__"
echo "== plugin $plugin: build and clippy"
"$root/deploy/progress.sh" "$cargo" test --no-run --locked "${features[@]}"
echo "== plugin $plugin: tests"
"$cargo" nextest run --config-file "$root/.config/nextest.toml" --locked --cargo-quiet "${features[@]}"
