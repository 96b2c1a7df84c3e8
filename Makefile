# Everything sets itself up: a fresh machine needs only make and a Python ≥ 3.11.
#
#   make demo     a synthetic market, a backtest, a report        (installs the core only)
#   make test     lint, types, floors, tests, coverage            (what .ci/run calls)
#   make lint     only the first three
#   make mutants  which small faults the tests would not notice; TARGET=portfolio/ledger.py for one module only
#   make night    every test that draws its own examples, with twenty times as many, never the same
#   make docs     docs/api.md, docs/configuration.md, docs/features.md with its pictures, the tables of
#                 docs/strategy-parts.md: from docstrings and settings; docs/architecture.svg from the contracts
#   make strategies   docs/strategies.md, by running every built-in strategy on recorded data
#   make bench    our speed beside the peers', into docs/performance.md
#   make clean    remove what the above have built; data, runs and logs stay

MAKEFLAGS += --no-print-directory
BIN := .venv/bin
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Each worker has its own stretch of the files, and takes from another's when it is done. What a file sets up is so made once,
# and kernels that two stretches need are compiled by the first of them, as a rule, and read from the cache by the other.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# What must be covered line by line, measured on the kernels' Python faces. Storage has no kernels: only what fills the lake.
COVERED := */engine/*,*/execution/simulated/*,*/portfolio/ledger.py,*/storage/lake.py
COVERED_TESTS := $(addprefix tests/,engine execution portfolio risk strategies/test_base.py \
	strategies/crypto/test_market_maker.py $(addprefix storage/test_,lake.py lake_faults.py ledger.py parts.py))
# Run by tests/parity and tests/research, which take minutes in plain Python and hold these two to the event lane.
UNCOVERED := */engine/compiled.py,*/engine/trials.py

.PHONY: demo test lint coverage mutants night docs strategies bench clean

demo: .venv/.core
	$(BIN)/truewind demo

test: lint
	$(PYTEST)
	@$(MAKE) coverage

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: .venv/.dev
	TRUEWIND_KERNELS=python $(PYTEST) $(COVERED_TESTS) \
		--cov=truewind --cov-report=
	$(BIN)/coverage report --include '$(COVERED)' --omit '$(UNCOVERED)' --fail-under 90

mutants: .venv/.dev
	$(BIN)/python tests/mutants.py $(TARGET) $(if $(SAMPLE),--sample $(SAMPLE))

night: .venv/.dev
	HYPOTHESIS_PROFILE=night $(PYTEST) -m hypothesis

docs: .venv/.dev
	$(BIN)/python docs/make_features.py
	$(BIN)/python docs/make_parts.py
	$(BIN)/python docs/make_api.py
	$(BIN)/python docs/make_configuration.py
	$(BIN)/python docs/make_architecture.py

strategies: .venv/.dev
	$(BIN)/python docs/make_strategies.py
	$(BIN)/python docs/make_stop_hunt.py

bench: .venv/.dev
	$(BIN)/python bench/all.py

clean:
	rm -rf .venv build dist src/*.egg-info htmlcov .coverage .coverage.* bench/.venvs
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# pip arrives last in a new environment, so one that was left half made is made again.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer (with its venv module) found; set PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.core: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing truewind into .venv (once, about a minute) …"
	@$(INSTALL) .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing truewind with its test tools into .venv (once, about a minute) …"
	@$(INSTALL) '.[dev]'
	@touch $@ .venv/.core
