# From a bare checkout to calls, tests and figures. Each target first sets up what is missing; again, that is quick.
.PHONY: help setup demo run test quick faults stalls stranger soak odd-times check format bench wheel
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
# Tests are run by two processes at once, whole files each. One that dies is not begun again.
WORKERS := -n 2 --max-worker-restart=0
PYTHON ?= python3
# uv makes the Python environment; where there is none on PATH, a private one is put beside it.
UV := $(or $(shell command -v uv 2>/dev/null),.venv-tools/bin/uv)

help:
	@echo "make demo    real calls through Ringback, told as they happen"
	@echo "make run     the same system, left running for your own phone and the API"
	@echo "make test    all tests"
	@echo "make quick   the quickest of them: the pure core, the model, a dozen calls"
	@echo "make check   format, lint, types, layers, tests"
	@echo "make faults  every part fails in every way, measured (40 minutes)"
	@echo "make stalls  many people while nobody serves them, or Postgres says nothing (ROUNDS=30)"
	@echo "make stranger  ten minutes of attacks from another network"
	@echo "make soak    an hour of mixed load: what grows, hangs or is left over (MINUTES=60)"
	@echo "make odd-times  the tests on a young and an old machine, at night, while clocks change, as nobody"
	@echo "make bench   measured against the raw floor"
	@echo "make setup   prepare everything, start nothing"
	@echo "make wheel   dist/ from the newest tag, or from VERSION=v0.8.0"

setup: .venv/.synced
	@$(BIN)/ringback setup

demo: setup
	@$(BIN)/ringback demo

run: setup
	@$(BIN)/ringback up

test: setup tools
	@$(BIN)/pytest $(WORKERS)

quick: setup tools
	@$(BIN)/pytest $(WORKERS) tests/unit tests/model tests/acceptance -m quick -q

faults: setup tools
	@$(BIN)/pytest tests/faults --faults=full -q

ROUNDS ?= 30
stalls: setup tools
	@$(BIN)/pytest tests/faults/test_stalls.py tests/faults/test_postgres_mute.py --faults=full --rounds=$(ROUNDS) -q

odd-times: setup tools
	@$(BIN)/python -m tests.odd_times

MINUTES ?= 60
soak: setup
	@$(BIN)/python -m tests.soak --minutes $(MINUTES)

stranger: setup tools
	@$(BIN)/pytest tests/faults/test_guessing.py -k stranger --faults=full --stranger=600 -q

check: setup tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(WORKERS)

format: .venv/.synced
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	@$(BIN)/python -m bench

# Of what is tagged, whatever lies in this folder.
VERSION ?= $(shell git describe --tags --abbrev=0 --match 'v*')
wheel: | $(UV)
	@test -n "$(VERSION)" || { echo "there is no tag: git tag v0.8.0, or VERSION=" >&2; exit 2; }
	@from=$$(mktemp -d) && trap 'rm -rf "$$from"' EXIT && git archive $(VERSION) | tar -x -C "$$from" \
	  && $(UV) build --quiet --wheel --out-dir dist "$$from" && ls dist/*.whl

# What only tests need of the system: a wire between two machines, and other clocks. Here, as two workers who install
# it at once would be in each other's way.
TOOLS := ip:iproute2 unshare:util-linux
FAKETIME := /usr/lib/*/faketime/libfaketime.so.1
.PHONY: tools
tools:
	@lacking=; for each in $(TOOLS); do command -v $${each%:*} >/dev/null || lacking="$$lacking $${each#*:}"; done; \
	ls $(FAKETIME) >/dev/null 2>&1 || lacking="$$lacking libfaketime"; \
	test -z "$$lacking" && exit; \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  || { echo "tests need more than Ringback does: run apt-get install$$lacking as root" >&2; exit 2; }; \
	echo "installing$$lacking (apt-get), for tests"; apt-get update -q >/dev/null; \
	DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends $$lacking >/dev/null

.venv/.synced: pyproject.toml uv.lock | $(UV)
	@echo "setting up the Python environment (.venv)"
	@$(UV) sync --frozen --quiet --no-python-downloads --compile-bytecode --python $(PYTHON)
	@touch $@

.venv-tools/bin/uv:
	@command -v $(PYTHON) >/dev/null && $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) -s python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: install one and run make PYTHON=/path/to/it" >&2; exit 2; }
	@echo "installing uv (.venv-tools)"
	@$(PYTHON) -m venv .venv-tools
	@.venv-tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement deploy/uv.txt

# Debian's own python3 comes without venv.
.PHONY: python
python:
	@test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  || { echo "python3 with venv is needed: run apt-get install python3 python3-venv as root" >&2; exit 2; }
	@echo "installing python3-venv (apt-get)"
	@apt-get update -q >/dev/null
	@DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends python3 python3-venv >/dev/null
