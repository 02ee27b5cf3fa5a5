# Every target sets up what it needs: `make demo` and `make test` work as the first command on a fresh machine.
PYTHON ?= python3
PROCESSES ?= 3
BENCH ?= --docs docs
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable

# Python keeps its bytecode on disk, even where the environment forbids it: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo install test test-slow chaos storm compose fuzz lint check bench histories pictures clean

demo: $(VENV)/.installed
	@$(BIN)/watchkeeper demo

install: $(VENV)/.installed
	@echo "Ready: $(BIN)/watchkeeper --help"

# Tests mostly wait, so two cores serve three processes. Each process has its own Temporal server.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow and not containers" -n $(PROCESSES) --dist worksteal

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

# Kills every process around a run at every event of its history. Takes 15 minutes.
chaos: $(VENV)/.installed-test
	$(BIN)/python -m tests.end_to_end.chaos

# Sends storms of alerts, with and without kills of the processes that receive them. Prints how they were answered. Takes 5 minutes.
storm: $(VENV)/.installed-test
	$(BIN)/python -m pytest tests/end_to_end/storms -s

# Runs both Compose files on docker or podman and kills each container in a run. The variables of the files name images;
# STAND_INS=1 builds images in place of those of Temporal and PostgreSQL. Takes 10 minutes.
compose: $(VENV)/.installed-test
	$(BIN)/python -m pytest tests/end_to_end/containers -s -v

# Reads a million damaged answers of model hosts. Takes 15 minutes. Fewer: make fuzz INPUTS=10000
fuzz: $(VENV)/.installed-fuzz
	$(BIN)/python -m tests.support.fuzz $(INPUTS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/typos
	$(BIN)/python -m tests.support.language

check: lint test

# Compares Watchkeeper with an empty loop and with other frameworks. Takes 25 minutes. Three minutes: make bench BENCH=--small
bench: $(VENV)/.installed-bench
	$(BIN)/python -m bench $(BENCH)

# Takes the pictures of the Temporal UI in docs/pictures again. Needs Chromium.
pictures: $(VENV)/.installed-bench
	$(BIN)/python -m tests.end_to_end.ui.pictures

# Records the histories that replay tests read. A change that needs this also needs a decision record.
histories: $(VENV)/.installed-test
	$(BIN)/python -m pytest tests/workflows/test_incident.py tests/workflows/test_updates.py tests/workflows/test_limits.py tests/workflows/test_compaction.py \
		tests/workflows/test_continue_as_new.py tests/workflows/test_no_worker.py tests/workflows/test_queue.py tests/workflows/test_alert_signals.py \
		tests/workflows/test_alert_signals_continue_as_new.py --record-histories

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("Watchkeeper needs Python 3.11 or newer, this is %s; name another: make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing Watchkeeper and a Temporal server into $(VENV). This takes a minute or two."
	@$(INSTALL) '.[dev-server]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing the test tools into $(VENV)."
	@$(INSTALL) '.[test]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	@echo "Installing the benchmark tools into $(VENV)."
	@$(INSTALL) '.[bench]'
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed-bench
	@echo "Installing the linters into $(VENV)."
	@$(INSTALL) '.[lint]'
	@touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed-test
	@echo "Installing the fuzzer into $(VENV)."
	@$(INSTALL) '.[fuzz]'
	@touch $@
