# Shorthands for contributors. `make check` is what CI runs.
PYTHON ?= .venv/bin/python

.PHONY: check format docs fuzz bench

check:
	$(PYTHON) scripts/check.py

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

docs:
	$(PYTHON) docs/generate.py
	$(PYTHON) docs/waveform.py

fuzz:
	for fuzzer in tests/fuzz/fuzz_*.py; do $(PYTHON) $$fuzzer 20 || exit 1; done

bench:
	$(PYTHON) -m pip install -q -e '.[bench]'
	$(PYTHON) bench/run.py
