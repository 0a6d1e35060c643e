#!/usr/bin/env bash
# fuzz/run.sh SECONDS [TARGET...]: each target for so long, from its corpus. What it finds stands in fuzz/artifacts/<target>.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-30}
shift || true
targets=("$@")
[ $# -gt 0 ] || targets=(frame json wire config_text sse answer irc ogg)

for target in "${targets[@]}"; do
  echo "== fuzz: $target, $seconds s"
  # What is new goes into a folder of its own: the corpus is what somebody has looked at.
  mkdir -p "work/$target"
  cargo +nightly fuzz run --fuzz-dir . "$target" "work/$target" "corpus/$target" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1
done
