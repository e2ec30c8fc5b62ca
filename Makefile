# `make demo`, `make test`, `make check`: each makes .venv by itself on first use, and reuses it.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# Two workers of a thread each: on two cores half of the time, and the same on more.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
.DEFAULT_GOAL := help

.PHONY: help demo test check format clean

help:
	@echo "make demo    train two small models and show what each refuses (under 2 minutes after installation)"
	@echo "make test    all checks and tests (under 8 minutes after installation); DRUMLIN_DATA=DIR adds those on real data"
	@echo "make check   format, lint, types, layers and doctests alone"
	@echo "make format  put the code into the project's format"
	@echo "make clean   remove .venv, caches and runs"

$(INSTALLED): pyproject.toml
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'Python 3.11 or newer is needed: make PYTHON=python3.11'"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/drumlin demo --out runs/demo

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) --doctest-modules src

test: check
	$(PYTEST)

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
