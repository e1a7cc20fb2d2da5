# 一呼多应 Dispatch: `make up` and `make test` need nothing done before them. `make help` lists the rest.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# http-ece comes as source: pip 23 needs to be told to build it as newer ones do.
PIP := PIP_USE_PEP517=1 $(BIN)/python -m pip --disable-pip-version-check --quiet
RUN_READY := $(VENV)/.run-ready
TEST_READY := $(VENV)/.test-ready
SOURCES := dispatch tests bench
# Each test process has servers of its own, but for those that are given from outside. Much of a test is
# waiting: with three of them two cores were idle for a third of the time.
WORKERS ?= $(if $(filter external,$(DISPATCH_TEST_SERVERS)),0,4)
# In the order of the folders: whole systems come first, so that nobody waits for the last of them.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder

# Else each process that a test starts would compile all of ours anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up test check format bench faults lock clean system-packages

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(RUN_READY) ## run everything on this machine, with a demo roster (DISPATCH_PORT changes 8080)
	@exec $(BIN)/dispatch up --demo

test: $(TEST_READY) system-packages ## run the tests (ARGS="-k name" for some of them, WORKERS=0 for one process)
ifdef ARGS
	@$(PYTEST) $(ARGS)
else
	@$(PYTEST) -m "not alone"
	@$(BIN)/python -m pytest -m alone tests/browser
endif

check: $(TEST_READY) ## lint, format, types, architecture
	@echo "== ruff check" && $(BIN)/ruff check .
	@echo "== ruff format --check" && $(BIN)/ruff format --check .
	@echo "== mypy" && $(BIN)/mypy $(SOURCES)
	@echo "== import-linter" && $(BIN)/lint-imports

format: $(TEST_READY) ## put the code in order
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(TEST_READY) ## measure ours beside the bare limit and peers, into docs/benchmarks.md (ARGS="--only storm" for one scene)
	@$(BIN)/python -m bench $(or $(ARGS),--write docs)

faults: $(TEST_READY) ## kill -9 everything under load and count who was called (KILLS=200 for the long run, SEED=n)
	@$(BIN)/python -m tests.faults.rampage --kills $(or $(KILLS),16) --seed $(or $(SEED),1)

lock: $(TEST_READY) ## pin and hash what pyproject.toml asks for, anew
	@sh tools/lock.sh $(BIN)/uv

clean: ## remove what these commands made here; data are elsewhere and stay
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

system-packages:
	@sh tools/system-packages.sh

$(VENV)/pyvenv.cfg:
	@sh tools/make-venv.sh $(VENV)

$(RUN_READY): requirements.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "== installing what runs (about a minute, once)"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(TEST_READY): requirements-test.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "== installing what runs and tests (about a minute, once)"
	@$(PIP) install --require-hashes -r requirements-test.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(RUN_READY)
