#!/usr/bin/env bash
# Runs the Autobahn suite, an independent test of RFC 6455, against an echo on the edge's own way of a socket
# (gateway-edge/src/accept/echo.rs). Ends with 1 when a case fails, with 0 and a word when the suite cannot be had here.
# With `--if-here` nothing is downloaded: `make test` calls it so.
#
# The suite is written for Python 2.7. It is used when `wstest` is on the path, and otherwise installed once from PyPI into
# target/autobahn for a Python 2.7 that is on the path or in ~/.pyenv.
#
# Cases 1 to 7 and 10. Not run: 9 measures speed, which `make bench` does with the real protocol; 12 and 13 are about
# compression, which the edge does not offer. Cases 1.2.* echo binary messages, which the protocol does not have: for each of
# them the refusal is tried instead, a close with code 1003.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=autobahntestsuite==0.8.2
home=$PWD/target/autobahn
packages=$home/python

left_out() {
  echo "   left out: $*"
  exit 0
}

python_2() {
  local candidate
  for candidate in "$(command -v python2.7 || true)" "$HOME"/.pyenv/versions/2.7*/bin/python2.7; do
    # A name on the path may be a stand-in for a version that is not chosen here.
    if [ -n "$candidate" ] && "$candidate" -c '' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

mkdir -p "$home"
if command -v wstest >/dev/null && wstest --autobahnversion >/dev/null 2>&1; then
  wstest=(wstest)
else
  python=$(python_2)
  [ -n "$python" ] || left_out "neither wstest nor a Python 2.7 is here"
  if ! [ -e "$packages/.complete" ]; then
    [ "${1:-}" != --if-here ] || left_out "the suite is not here yet (make autobahn fetches it)"
    "$python" -m pip --version >/dev/null 2>&1 || left_out "$python has no pip"
    echo "   installing $suite into target/autobahn"
    rm -rf "$packages"
    # The last versions that Python 2.7 can take; it says at every step that it is old.
    "$python" -W ignore -m pip install --quiet --disable-pip-version-check --target "$packages" "$suite" 2>"$home/pip.log" \
      || { cat "$home/pip.log" >&2; exit 1; }
    # Parts of the package `zope` come from several distributions. Outside of site-packages nobody joins them but this.
    echo "__import__('pkg_resources').declare_namespace(__name__)" >"$packages/zope/__init__.py"
    touch "$packages/.complete"
  fi
  wstest=(env "PYTHONPATH=$packages" "$python" -W ignore -c 'from autobahntestsuite.wstest import run; run()')
fi
reader=$(command -v python3 || command -v python2 || python_2)
[ -n "$reader" ] || left_out "no Python is here to read the report"

# All of the workspace, like the other tests, so that nothing is built twice. The echo ends with its standard input, however
# this script ends.
cargo=${CARGO:-cargo}
"$cargo" test --workspace --lib --locked --quiet --no-run
rm -f "$home/input"
mkfifo "$home/input"
"$cargo" test --workspace --lib --locked --quiet -- \
  --ignored --exact accept::echo::an_echo_for_the_autobahn_suite --nocapture <"$home/input" >"$home/echo.log" 2>&1 &
echo_pid=$!
exec 9>"$home/input"
url=
for _ in $(seq 600); do
  url=$(sed -n 's/^listening on //p' "$home/echo.log")
  [ -z "$url" ] || break
  kill -0 "$echo_pid" 2>/dev/null || break
  sleep 0.1
done
[ -n "$url" ] || { tail -20 "$home/echo.log" >&2; echo "the echo does not listen" >&2; exit 1; }

rm -rf "$home/report"
cat >"$home/spec.json" <<SPEC
{"outdir": "$home/report", "servers": [{"agent": "gatehouse", "url": "$url"}], "options": {"failByDrop": false},
 "cases": ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"], "exclude-cases": [], "exclude-agent-cases": {}}
SPEC
(cd "$home" && "${wstest[@]}" --mode fuzzingclient --spec "$home/spec.json" >"$home/log" 2>&1) \
  || { tail -20 "$home/log" >&2; exit 1; }

exec 9>&-
wait "$echo_pid" || { tail -20 "$home/echo.log" >&2; echo "the echo failed" >&2; exit 1; }

"$reader" - "$home/report/index.json" <<'READ'
import json, sys

GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")
# What the suite 0.8.2 has in 1 to 7 and 10. Fewer mean that it stopped.
CASES_MIN = 247

cases = json.load(open(sys.argv[1])).get("gatehouse", {})
counts, failed = {}, []
for case in sorted(cases, key=lambda case: [int(part) for part in case.split(".")]):
    result = cases[case]
    if case.startswith("1.2."):
        verdict = "binary refused" if result["remoteCloseCode"] == 1003 else "FAILED"
    elif result["behavior"] not in GOOD or result["behaviorClose"] not in GOOD:
        verdict = "FAILED"
    else:
        verdict = result["behavior"]
    counts[verdict] = counts.get(verdict, 0) + 1
    if verdict == "FAILED":
        failed.append("   %s: %s, its end %s with code %s; see target/autobahn/report/%s" % (
            case, result["behavior"], result["behaviorClose"], result["remoteCloseCode"], result["reportfile"]))
words = ", ".join("%d %s" % (counts[verdict], verdict) for verdict in sorted(counts))
print("   %d cases: %s" % (len(cases), words))
for line in failed:
    print(line)
if len(cases) < CASES_MIN:
    print("   the suite has %d cases here; the report is not whole" % CASES_MIN)
sys.exit(1 if failed or len(cases) < CASES_MIN else 0)
READ
