#!/bin/sh
# Gives every crate of the workspace an empty root, so that the image's dependency layer can be built before our sources are
# copied. Never run it on sources: it refuses to replace a file.
set -eu

root() {
  mkdir -p "$(dirname "$1")"
  if [ -e "$1" ]; then echo "$1 exists: this script is for empty trees" >&2; exit 1; fi
  printf '%s\n' "$2" > "$1"
}

for crate in contract contract/testing document services/core services/session services/agent services/channel-bridge services/config \
  services/broadcast gateway-edge plugins/sdk tests/fakes; do
  root "$crate/src/lib.rs" ""
done
root proto/build.rs "fn main() {}"
root services/channel-bridge/build.rs "fn main() {}"
root proto/src/lib.rs ""
root cli/src/main.rs "fn main() {}"
root examples/plugins/rust/src/main.rs "fn main() {}"
root examples/plugins/rust/build.rs "fn main() {}"
root plugins/msteams/src/lib.rs ""
root plugins/msteams/src/main.rs "fn main() {}"
root plugins/msteams/build.rs "fn main() {}"
root tests/src/lib.rs ""
root tests/it/main.rs "fn main() {}"
root tests/bench/main.rs "fn main() {}"
root tests/fake/main.rs "fn main() {}"
