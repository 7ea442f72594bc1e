# `make` prints what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.ONESHELL:
MAKEFLAGS += --no-print-directory
.PHONY: help install run test test-fast test-pythons test-core lint format types rules soak bench lock clean ci

VENV ?= .venv
PORT ?= 8000
# PYTHON=/path/to/python3 chooses the interpreter; otherwise the newest usable one of 3.11 to 3.13.
PYTHON ?=
# UPGRADE=--upgrade lets `make lock` take newer versions.
UPGRADE ?=

BIN := $(VENV)/bin
# Whoever is done takes over what others have not begun: some tests kill workers for a minute, most take none.
PYTEST := $(BIN)/python -m pytest -rfEs -n auto --dist worksteal --durations 25 --durations-min 10
# What a Python could make different; the rest of tests/rules looks at the rules, which are the same on each.
CORE_TESTS = $(wildcard tests/unit tests/engine tests/rules/test_cases.py tests/rules/test_decisions.py)

# durable-rules 2.0.28 calls a C function that Python 3.13 renamed; harmless on 3.11 and 3.12.
export CPPFLAGS := $(CPPFLAGS) -DPyEval_CallObject=PyObject_CallObject
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# Stamps carry the hash of what they installed, so a second call costs nothing and a changed lock is noticed.

hash = $(shell cat pyproject.toml $(1) 2>/dev/null | sha256sum | cut -c1-16)
MADE := $(VENV)/$(if $(PYTHON),.made-with-$(subst /,_,$(PYTHON)),bin/python)
RUNTIME := $(VENV)/.runtime-$(call hash,requirements.lock)
DEV := $(VENV)/.dev-$(call hash,requirements.lock requirements-dev.lock)
# one package's lines of the lock
only = awk '/^[^ ]/ {keep = /^$(1)==/} keep' requirements.lock
PIP = $(BIN)/python -m pip install --quiet --require-hashes

$(MADE):
	@python=$(or $(PYTHON),$$(.ci/pythons | awk 'NR == 1 {print $$2}'))
	echo "making $(VENV) with $$python"
	"$$python" -m venv --clear $(VENV)
	$(if $(PYTHON),touch $@)

$(RUNTIME): $(MADE)
	@echo "installing requirements.lock"
	rm -f $(VENV)/.runtime-* $(VENV)/.dev-*
	$(PIP) --no-deps -r <($(call only,setuptools))
	# In a step of its own and past pip's cache, which may hold a build made without the flag above.
	$(PIP) --no-deps --no-cache-dir --no-build-isolation --use-pep517 -r <($(call only,durable-rules))
	$(BIN)/python -c 'import durable_rules_engine'
	$(PIP) -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(DEV): $(RUNTIME)
	@echo "installing requirements-dev.lock"
	$(PIP) -r requirements-dev.lock
	touch $@

install: $(RUNTIME) ## Make .venv with all that the service runs on

run: $(RUNTIME) ## Start the service on http://127.0.0.1:8000 with invented patients (PORT=... moves it)
	$(BIN)/pathway demo load
	exec $(BIN)/pathway up --port $(PORT)

test: $(DEV) ## Everything: rules and their cases, lint, types, all tests; says what was skipped and why
	$(MAKE) rules lint types
	$(if $(PATHWAY_ALL_PYTHONS),$(MAKE) test-pythons)
	$(PYTEST)

test-fast: $(DEV) ## The tests that need nothing but Python
	$(PYTEST) -m fast

test-pythons: ## The fast tests of the core, on every other Python of 3.11 to 3.13 that the machine has
	@own=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
	.ci/pythons | while read -r version python; do
		if [[ $$version != "$$own" ]]; then
			echo "== Python $$version"
			$(MAKE) test-core VENV=.venvs/$$version PYTHON="$$python" </dev/null
		fi
	done

test-core: $(DEV)
	$(PYTEST) -m fast $(CORE_TESTS)

lint: $(DEV) ## Style, format and the arrow of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

format: $(DEV) ## Put the code in ruff's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEV) ## Types: strict in pathway/, standard in adapters/
	$(BIN)/pyright --pythonpath $(BIN)/python

rules: $(DEV) ## Check every rule file and run its cases
	$(BIN)/pathway rules check
	$(BIN)/pathway rules test

soak: $(DEV) ## The long loops in full (`make test` runs a fiftieth of each)
	PATHWAY_SOAK=1 $(PYTEST) -m slow --timeout 0

bench: $(DEV) ## Measure all that bench/ has; writes docs/benchmarks.md (more than half an hour; `python -m bench deciding` runs one)
	$(BIN)/python -m bench

lock: ## Write both lock files anew from pyproject.toml (UPGRADE=--upgrade for newer versions)
	$(or $(PYTHON),$$(.ci/pythons | awk 'NR == 1 {print $$2}')) -m venv .venvs/lock
	.venvs/lock/bin/python -m pip install --quiet 'uv==0.13.9'
	compile='.venvs/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE)'
	$$compile --custom-compile-command 'make lock' pyproject.toml --group build -o requirements.lock
	$$compile --custom-compile-command 'make lock' pyproject.toml --group build --group dev \
		-c requirements.lock -o requirements-dev.lock

clean: ## Remove the environments, caches and build left-overs; var/ with its database stays
	rm -rf .venv .venvs .pytest_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ci: ## What CI runs
	.ci/run
