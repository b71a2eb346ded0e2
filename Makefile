SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: install run test test-long test-sqlite test-postgresql lint acceptance bench bench-peers bench-changes bench-lists bench-servers fuzz image-test drill-host drill-ha drill-crash drill-days lock audit clean drills drill-memory

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
# One process more than there are processors, as now and then one waits; at most five.
PYTEST_ARGS ?= -n $(shell $(PYTHON) -c 'import os; print(min(5, 1 + (os.cpu_count() or 1)))') --dist loadscope

# The stamps hold when nothing changed, so a second `make run` or `make test` installs nothing.
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes

install: $(DEV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Modeldex needs Python 3.11 or newer; name one: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python cannot make virtual environments: install python3-venv (Debian, Ubuntu), then run make again." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.lock | $(BIN)/python
	$(PIP) -r requirements.lock
	@touch $@

# Installs the runtime's packages too, at the same versions.
$(DEV): requirements-dev.lock | $(BIN)/python
	$(PIP) -r requirements-dev.lock
	@touch $@ $(RUNTIME)

run: export MODELDEX_ENV = development
run: export PORT := $(PORT)
run: $(RUNTIME)
	$(BIN)/python manage.py quickstart
	@echo 'Serving http://127.0.0.1:$(PORT): /admin/ for staff, /api/docs for programs. Ctrl-C stops it.'
	exec $(BIN)/python -m config.serving

# Both runs always run; either failing fails the target. What asks no database runs in the first alone, as browsers do.
# What measures time runs last, with nothing beside it.
test: $(DEV)
	@failed=; \
	for database in sqlite postgresql; do \
		echo "== $$database"; export TEST_DATABASE=$$database; \
		if [ $$database = sqlite ]; then not=; else not=" and not once"; fi; \
		$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not alone$$not" || failed="$$failed $$database"; \
		$(BIN)/python -m pytest -n 0 -m "alone$$not" || failed="$$failed $$database, alone"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed on:$$failed" >&2; exit 1; fi

# All on both databases, and the properties in more random worlds.
test-long: export LONG_TESTS = 1
test-long: test-sqlite test-postgresql

test-sqlite test-postgresql: test-%: $(DEV)
	TEST_DATABASE=$* $(BIN)/python -m pytest $(PYTEST_ARGS) -m "not alone"
	TEST_DATABASE=$* $(BIN)/python -m pytest -n 0 -m alone

lint: export MODELDEX_ENV = development
lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run

# Real clients, each in an environment of its own outside of the product's; needs npm. Installed by uv: pip takes minutes.
ACCEPTANCE := .acceptance
UV := $(ACCEPTANCE)/uv/bin/uv
$(UV): | $(BIN)/python
	$(PYTHON) -m venv $(ACCEPTANCE)/uv
	$(ACCEPTANCE)/uv/bin/pip install -qq --disable-pip-version-check uv
acceptance: $(DEV) $(UV)
	@set -e; for n in "" 2 3 4 5 6 7; do \
		test -d $(ACCEPTANCE)/python$$n || $(UV) venv --quiet --python $(PYTHON) $(ACCEPTANCE)/python$$n; \
		$(UV) pip install --quiet --python $(ACCEPTANCE)/python$$n/bin/python \
			-r tests/acceptance/requirements$${n:+-$$n}.txt; \
	done
	cp tests/acceptance/package.json tests/acceptance/*.mjs $(ACCEPTANCE)/
	cd $(ACCEPTANCE) && npm install --silent --no-audit --no-fund
	ACCEPTANCE_HOME=$(CURDIR)/$(ACCEPTANCE) $(BIN)/python -m pytest -q tests/acceptance

# Answers a second, and ratios, at three sizes on both databases; BENCH_ARGS="--models 421 --databases postgresql" for one.
bench: $(DEV)
	$(BIN)/python -m tests.bench.reads $(BENCH_ARGS)

# LiteLLM's list beside ours, in an environment outside of the product's.
bench-peers: $(DEV) $(UV)
	test -d $(ACCEPTANCE)/peers || $(UV) venv --quiet --python $(PYTHON) $(ACCEPTANCE)/peers
	$(UV) pip install --quiet --python $(ACCEPTANCE)/peers/bin/python 'litellm[proxy]'
	$(BIN)/python -m tests.bench.peers --litellm $(CURDIR)/$(ACCEPTANCE)/peers/bin/litellm $(BENCH_ARGS)

# What changes cost readers, memory, syncs and commands; BENCH_ARGS="--models 421,20000 --databases sqlite" for others.
bench-changes: $(DEV)
	$(BIN)/python -m tests.bench.changes $(BENCH_ARGS)

# Pages of the list at 1,000 and at 100,000 models; BENCH_ARGS="--models 20000 --explain" for fewer and for plans.
bench-lists: $(DEV)
	$(BIN)/python -m tests.bench.lists $(BENCH_ARGS)

# The server that is shipped, its delays and hostile clients; BENCH_ARGS="--servers shipped,wsgi" for others beside it.
bench-servers: $(DEV)
	$(BIN)/python -m tests.bench.servers $(BENCH_ARGS)

# The API's document against the server on both databases, all of schemathesis: FUZZ_ARGS="--requests 100000" for more.
fuzz: $(DEV)
	$(BIN)/python -m tests.drills.fuzz $(FUZZ_ARGS)

# The image, built and run by podman as root: Debian's podman, crun and debootstrap. Two minutes.
image-test: $(DEV)
	IMAGE_TESTS=1 $(BIN)/python -m pytest -n 0 -o faulthandler_timeout=900 tests/drills/test_image.py

# config/deploy/README.md by its own blocks on a bare Debian under systemd, as root: Debian's debootstrap, systemd-container.
drill-host: $(DEV)
	$(BIN)/python -m tests.drills.host

# Failures of etcd, Patroni, HAProxy and PostgreSQL under two servers, with Debian's packages of those: HA_ARGS="--failures
# crash,node" for some of them.
drill-ha: $(DEV)
	$(BIN)/python -m tests.drills.ha $(HA_ARGS)

# Kill -9 at random moments, on both databases: CRASH_ARGS="--rounds 20" for fewer, "--seed 7 --round 3" for those again.
drill-crash: $(DEV)
	$(BIN)/python -m tests.drills.crash $(CRASH_ARGS)

# Simulated hours of syncs, edits, keys and reads at 5,276 models on PostgreSQL: DAYS_ARGS="--hours 2" for fewer.
drill-days: $(DEV)
	$(BIN)/python -m tests.drills.days $(DAYS_ARGS)

# 250,000 requests of many kinds to one worker on each database, whose memory stays flat: MEMORY_ARGS="--requests 20000".
drill-memory: $(DEV)
	$(BIN)/python -m tests.drills.memory $(MEMORY_ARGS)

# A short run of each drill, six minutes of all; all of them run, and any that fails fails the target.
drills: $(DEV)
	@failed=; \
	for drill in \
		"fuzz --requests 1000 --examples 3" \
		"crash --seconds 20" \
		"days --hours 8 --models 500" \
		"memory --requests 10000 --models 500 --databases sqlite" \
		"ha --failures crash,node"; \
	do \
		echo "== $$drill"; $(BIN)/python -m tests.drills.$$drill || failed="$$failed $${drill%% *}"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed:$$failed" >&2; exit 1; fi

# Pins what pyproject.toml allows today, with the hash of every file, so that it installs on each Python and platform.
LOCK := $(VENV)/lock/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock: | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --quiet uv
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

# A bill of materials (CycloneDX) in sbom.json, and known weaknesses of what is pinned: fails where they cannot be read.
AUDIT := $(VENV)/audit/bin
audit: | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/audit
	$(AUDIT)/pip install --quiet --disable-pip-version-check pip-audit cyclonedx-bom
	$(AUDIT)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-file sbom.json
	$(AUDIT)/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

clean:
	rm -rf $(VENV) staticfiles .pytest_cache .mypy_cache .ruff_cache .hypothesis
