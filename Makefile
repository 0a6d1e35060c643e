# What a person runs. Every step says its name; what is missing is named with the command that brings it.

CARGO ?= cargo
# rust-toolchain.toml pins the compiler. Where that one is not installed and cannot be fetched, the installed one has to do.
ifeq ($(shell $(CARGO) --version 2>/dev/null),)
export RUSTUP_TOOLCHAIN := stable
endif
TARGET := $(or $(CARGO_TARGET_DIR),target)

# A long step of cargo says how far it is: by cargo's own bar on a terminal, by a line a minute elsewhere.
PROGRESS := deploy/progress.sh

.PHONY: help up build test deny contracts notes test-rust test-plugins test-conformance test-page test-teams conformance playground test-autobahn lint docs bench bench-peers crash backup-drill \
  autobahn fuzz fmt prerequisites image release-contracts release-notes

help:
	@echo "make up      build and run the gateway on this machine (Ctrl-C stops it)"
	@echo "make test    everything a submission must pass"
	@echo "make deny    licences, sources and bans of the dependencies, and their advisories where they can be fetched"
	@echo "make bench   the figures the gateway is judged by"
	@echo "make bench-peers  the same figures of this gateway and of OpenClaw's, side by side (WRITE=1: into docs/)"
	@echo "make conformance  OpenClaw's own clients against this gateway and against OpenClaw's, and a table of both (WRITE=1: into docs/)"
	@echo "make playground  Microsoft's Agents Playground in front of the plugin for Teams (installs it, under Microsoft's licence)"
	@echo "make crash   kill -9 of each process in turn, 200 rounds under load (ROUNDS=N)"
	@echo "make backup-drill  50 backups under load, each restored and compared (ROUNDS=N)"
	@echo "make autobahn  the Autobahn suite against the edge's WebSocket (needs a Python 2.7; fetches the suite once)"
	@echo "make fuzz    each hand-written parser for 30 seconds (SECONDS=N), from the corpus in fuzz/ (needs a nightly compiler)"
	@echo "make contracts  what buf says of the contracts, and of what changed since they were released (needs npm)"
	@echo "make test-plugins  the plugins that are workspaces of their own (PLUGINS=matrix: one of them)"
	@echo "make fmt     format the sources"
	@echo "make docs    write the generated references anew"
	@echo "make image   build the container image"
	@echo "make release-notes  what the next release says (VERSION=0.2.0 writes it into CHANGELOG.md)"
	@echo "make release-contracts  keep the contracts as they are now as the released ones"

# Arguments for the gateway: make up ARGS='--port 8080'
# The data folder is that of this checkout, unless one is named.
up: build
	@GATEHOUSE_HOME="$${GATEHOUSE_HOME:-./data}" exec $(TARGET)/release/gatehouse up $(ARGS)

build:
	@deploy/prerequisites.sh build
	@echo "== build (release; the first time takes some minutes)"
	@$(PROGRESS) $(CARGO) build --release --locked -p gatehouse

test: prerequisites lint notes contracts deny test-rust test-plugins test-conformance test-page test-teams test-autobahn
	@echo "== all good"

prerequisites:
	@echo "== prerequisites"
	@deploy/prerequisites.sh test

lint:
	@echo "== format"
	@$(CARGO) fmt --all --check
	@echo "== clippy"
	@$(PROGRESS) $(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@echo "== rustdoc"
	@RUSTDOCFLAGS="-D warnings" $(PROGRESS) $(CARGO) doc --workspace --no-deps --document-private-items --locked

# Bans, licences and sources need nothing but the lock file, and always run. The advisories are a git repository, which cannot
# be fetched everywhere: where it can, they count; where it cannot, that is said.
deny:
	@echo "== dependencies"
	@$(CARGO) deny --config .deny.toml --log-level error check bans licenses sources
	@if timeout 60 $(CARGO) deny --config .deny.toml --log-level off fetch db >/dev/null 2>&1; then \
	  $(CARGO) deny --config .deny.toml --log-level error check --disable-fetch advisories; \
	else \
	  echo "   advisories: left out, their database cannot be fetched here"; \
	fi

# Names and comments by the rules of the field, and nothing on the wire or in JSON that a released client would miss. The tests of
# contract/ hold what buf does not know: access, bounds, callers, the names that clients call.
BUF = tests/conformance/node_modules/.bin/buf
contracts:
	@if [ -x $(BUF) ]; then \
	  echo "== contracts"; $(BUF) lint proto && \
	  $(BUF) breaking proto --exclude-imports --against 'contract/released/descriptors.bin#format=binpb'; \
	else \
	  echo "== contracts: buf is left out, npm is not here"; \
	fi

notes:
	@echo "== release notes"
	@changes/release.sh >/dev/null

# The binary that tests/it starts is built with the tests: alone it has other features (no clock that tests can stop). Three tests for two
# processors: most of them wait for a while.
test-rust:
	@echo "== build of the tests"
	@$(PROGRESS) $(CARGO) test --no-run --workspace --locked
	@echo "== tests"
	@NEXTEST_TEST_THREADS=$$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )) $(CARGO) nextest run --workspace --locked --cargo-quiet
	@echo "== doc tests"
	@$(CARGO) test --doc --workspace --locked --quiet

# Plugins whose dependencies do not fit into the gateway's lock file: workspaces of their own, judged as strictly. `name:feature,feature` names
# features that their tests need.
PLUGINS = matrix whatsapp-web:untrusted-server
test-plugins:
	@for plugin in $(PLUGINS); do \
	  name=$${plugin%%:*}; features=$${plugin#"$$name"}; CARGO="$(CARGO)" deploy/test-plugin.sh "$$name" "$${features#:}" || exit 1; \
	done

test-conformance:
	@if [ -x tests/conformance/node_modules/node/bin/node ]; then \
	  echo "== conformance"; npm test --prefix tests/conformance --silent; \
	else \
	  echo "== conformance: left out, npm is not here"; \
	fi

# The gateway's own page: types, format and lint of its sources, and a headless Chromium that uses it. Nothing of that is in a release.
test-page:
	@if [ -x tests/page/node_modules/.bin/tsc ]; then \
	  echo "== page"; PATH="$(CURDIR)/tests/conformance/node_modules/node/bin:$$PATH" && \
	  npm run check --prefix tests/page --silent && npm test --prefix tests/page --silent; \
	else \
	  echo "== page: left out, npm is not here"; \
	fi

# Microsoft's packages for bots judge the tokens of the plugin for Teams, in seconds. Its Agents Playground as well, in half a minute, where
# it is installed: see `playground`.
test-teams:
	@if [ -x tests/conformance/node_modules/node/bin/node ] && [ -d tests/teams/node_modules ]; then \
	  echo "== teams"; PATH="$(CURDIR)/tests/conformance/node_modules/node/bin:$$PATH" npm test --prefix tests/teams --silent; \
	else \
	  echo "== teams: left out, npm is not here"; \
	fi

# The Playground is no free software: Microsoft's licence comes with it, and is agreed to by whoever installs it. So this alone does.
playground: prerequisites
	@$(PROGRESS) $(CARGO) build --locked -p gatehouse -p gatehouse-msteams
	@echo "== playground"
	@PATH="$(CURDIR)/tests/conformance/node_modules/node/bin:$$PATH" npm run playground --prefix tests/teams --silent

# Twenty seconds where the suite is at hand; nothing is fetched for it here.
# All clients, all commands, both gateways: half an hour. ARGS='--only cli,tui --targets gatehouse' is a part of it; ARGS='--url ws://host:port
# --token ...' tries a gateway that runs already.
conformance: prerequisites
	@$(PROGRESS) $(CARGO) build --locked -p gatehouse
	@echo "== conformance, in full"
	@cd tests/conformance && node_modules/node/bin/node kit/run.mjs $(if $(WRITE),--write) $(if $(PENDING),--pending) $(ARGS)

test-autobahn:
	@echo "== autobahn"
	@CARGO="$(CARGO)" tests/autobahn.sh --if-here

docs:
	@echo "== generated references"
	@UPDATE_DOCS=1 $(CARGO) nextest run --locked --cargo-quiet -p gatehouse -p gatehouse-config -p gatehouse-edge -E 'test(committed_reference)'

# `make bench ARGS=soak` takes twenty minutes; SECONDS=120 takes two.
SECONDS ?= 1200
bench:
	@deploy/prerequisites.sh build
	@echo "== build (release)"
	@$(PROGRESS) $(CARGO) build --release --locked -p gatehouse -p gatehouse-tests
	@echo "== bench"
	@GATEHOUSE_BIN=$(abspath $(TARGET))/release/gatehouse GATEHOUSE_SOAK_SECONDS=$(SECONDS) $(TARGET)/release/gatehouse-bench $(ARGS)

# Eight minutes on a quiet machine, most of it OpenClaw's. ARGS=--small takes one or two, and says whether every row can be measured.
bench-peers: prerequisites
	@echo "== build (release)"
	@$(PROGRESS) $(CARGO) build --release --locked -p gatehouse
	@echo "== bench beside OpenClaw"
	@cd tests/conformance && GATEHOUSE_BIN=$(abspath $(TARGET))/release/gatehouse node_modules/node/bin/node bench/run.mjs $(if $(WRITE),--write) $(ARGS)

# The long form of a test that `make test` runs for a few rounds.
ROUNDS ?= 200
crash:
	@deploy/prerequisites.sh build
	@$(PROGRESS) $(CARGO) test --no-run --locked -p gatehouse
	@echo "== crash: $(ROUNDS) rounds"
	@GATEHOUSE_LOG=error GATEHOUSE_CRASH_ROUNDS=$(ROUNDS) $(CARGO) test --locked --quiet -p gatehouse-tests --test it -- crash --nocapture

backup-drill: ROUNDS = 50
backup-drill:
	@deploy/prerequisites.sh build
	@$(PROGRESS) $(CARGO) test --no-run --locked -p gatehouse
	@echo "== backup drill: $(ROUNDS) backups under load"
	@GATEHOUSE_LOG=error GATEHOUSE_BACKUP_ROUNDS=$(ROUNDS) $(CARGO) test --locked --quiet -p gatehouse-tests --test it -- backup --nocapture

autobahn:
	@echo "== autobahn"
	@CARGO="$(CARGO)" tests/autobahn.sh

# Finds what the tests did not think of. What it finds goes into fuzz/corpus, which `make test` runs too: see fuzz/README.md.
fuzz: SECONDS = 30
fuzz:
	@deploy/prerequisites.sh fuzz
	@fuzz/run.sh $(SECONDS) $(TARGETS)

fmt:
	@$(CARGO) fmt --all
	@for plugin in $(PLUGINS); do (cd plugins/$${plugin%%:*} && $(CARGO) fmt) || exit 1; done

image:
	@docker build -f deploy/Dockerfile -t gatehouse .

release-notes:
	@changes/release.sh $(VERSION)

release-contracts:
	@GATEHOUSE_RELEASE_CONTRACTS=1 $(CARGO) nextest run --locked --cargo-quiet -p gatehouse-contract -E 'test(/compat::.*released/)'
