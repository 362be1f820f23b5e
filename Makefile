# Everything a contributor runs. `make check` is what CI runs.
PYTHON ?= .venv/bin/python
BIN := $(dir $(PYTHON))

.PHONY: check format lint types layers test docs docs-write fuzz bench

check: lint types layers docs test

format:
	$(BIN)ruff format .
	$(BIN)ruff check --fix .

lint:
	$(BIN)ruff format --check .
	$(BIN)ruff check .

types:
	$(BIN)mypy
	$(BIN)mypy --strict tests/typing/api.py

layers:
	$(BIN)lint-imports

docs:
	$(PYTHON) docs/generate.py --check

docs-write:
	$(PYTHON) docs/generate.py

test:
	$(BIN)pytest

fuzz:
	for fuzzer in tests/fuzz/fuzz_*.py; do $(PYTHON) $$fuzzer 20 || exit 1; done

bench:
	$(PYTHON) -m pip install -q '.[bench]'
	$(PYTHON) bench/run.py
