# The commands of this repository. Each of them sets up what it needs: Python 3.11 and make are enough to begin with.

BIN := .venv/bin
# Many tests wait for a server or a clock: two for each core.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
PYTEST ?=
BENCH ?=
TORTURE ?=
SOAK ?=

# An editable install would else be compiled anew at every start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help test check demo bench bench-quick bench-watch bench-watch-quick torture soak format clean servers peers

help:
	@echo 'make demo     see it work: a server, an account, two sides that become the same'
	@echo 'make test     everything: format, lint, types, import rules, and all tests against real servers'
	@echo 'make check    everything but the tests'
	@echo 'make bench    measure it beside mbsync and offlineimap3: an hour, 30 GB; bench-quick: some minutes, 2 GB'
	@echo 'make bench-watch    measure syncer watch: an hour and more, 3 GB; bench-watch-quick: some minutes'
	@echo 'make torture  everything that is done to it to make it lose a message, in full: many hours'
	@echo 'make soak     keep it running for two hours while everything around it changes and fails'
	@echo 'make format   write the code in the one format'
	@echo 'make clean    remove what the commands above have made'
	@echo
	@echo 'Variables: PYTHON (to make .venv with), WORKERS (of the tests), PYTEST, BENCH, TORTURE and SOAK (further options)'

.venv/.ready: pyproject.toml tools/venv.sh
	@echo '--- virtual environment'
	@tools/venv.sh

servers:
	@echo '--- servers'
	@tests/servers/install.sh

check: .venv/.ready
	@echo '--- format'
	@$(BIN)/ruff format --check .
	@echo '--- lint'
	@$(BIN)/ruff check .
	@echo '--- types'
	@$(BIN)/mypy
	@echo '--- import rules'
	@$(BIN)/lint-imports

test: .venv/.ready servers check
	@echo '--- tests'
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal $(PYTEST)
	@echo 'format, lint, types, import rules and tests: all good'

demo: .venv/.ready
	@$(BIN)/python tools/demo.py

peers:
	@echo '--- peers'
	@bench/install.sh

bench: .venv/.ready peers
	@$(BIN)/python -m bench $(BENCH)

bench-quick: .venv/.ready peers
	@$(BIN)/python -m bench --scale 0.05 --repeat 1 --limit 20 --out bench/results/quick $(BENCH)

bench-watch: .venv/.ready peers
	@$(BIN)/python -m bench.watching $(BENCH)

bench-watch-quick: .venv/.ready peers
	@$(BIN)/python -m bench.watching --scale 0.02 --samples 8 --idle 20 --away 5 --hole 10 --ends 4 --limit 120 \
	  --out bench/results/quick $(BENCH)

torture: .venv/.ready servers
	@$(BIN)/python -m torture $(TORTURE)

soak: .venv/.ready servers
	@$(BIN)/python -m torture.soak $(SOAK)

format: .venv/.ready
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:
	rm -rf .venv demo build dist .coverage
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
