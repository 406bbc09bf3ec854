# Every target creates and fills .venv when it has to (a minute the first time, nothing the second).
# Only relative paths, so that a folder with a space in its name works.
#   make test ARGS="-k sigmoid"        make demo PYTHON=/path/to/python3.12

PYTHON ?= python3
ARGS ?=
TORCH ?= torch==2.13.0

PY := .venv/bin/python
PIP := $(PY) -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint docs bench deep clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: .venv/.has-package  ## train a small GAN (under a minute) and say where its report is
	@run=runs/demo; if [ -e "$$run" ]; then run="runs/demo-$$(date +%Y%m%d-%H%M%S)"; fi; \
	$(PY) -m minigan train mixture1d --seed 0 --out "$$run" $(ARGS) && \
	test -s "$$run/report.html" && \
	echo && echo "Open in a browser: $$(pwd)/$$run/report.html"

test: .venv/.has-test  ## run the tests (ARGS are passed to pytest)
	@$(PY) -m pytest $(ARGS)

deep: .venv/.has-test  ## run all tests, the deep ones too, on many random examples (hours)
	@HYPOTHESIS_PROFILE=deep $(PY) -m pytest -m "" $(ARGS)

lint: .venv/.has-dev  ## check style, import directions, types and spelling
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports
	.venv/bin/mypy
	.venv/bin/codespell

docs: .venv/.has-docs  ## build the documentation into docs/_build/html
	@$(PY) -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "Open in a browser: $$(pwd)/docs/_build/html/index.html"

bench: .venv/.has-parity  ## compare with PyTorch and JAX, side by side in one run
	@$(PY) -m benchmarks $(ARGS)

clean:  ## remove .venv and everything else that can be made again; runs/ stays
	rm -rf .venv build dist docs/_build docs/_lessons docs/course docs/_examples docs/gallery docs/solutions.rst .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- the environment: one stamp file per set of packages, renewed when pyproject.toml changes ----

.venv/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "minigan needs Python 3.11 or newer, but '$(PYTHON)' is $$("$(PYTHON)" --version 2>/dev/null || echo missing)." >&2; \
	  echo "Name another one: make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; exit 2; }

.venv/.has-package: pyproject.toml | .venv/bin/python
	@echo "Installing minigan into .venv ..."
	@$(PIP) -e .
	@touch $@

.venv/.has-test .venv/.has-dev .venv/.has-docs: .venv/.has-%: pyproject.toml | .venv/bin/python
	@echo "Installing minigan and the packages for '$*' into .venv ..."
	@$(PIP) -e ".[$*]"
	@touch .venv/.has-package $@

# PyTorch first and by its version: the extra asks for any.
.venv/.has-parity: pyproject.toml | .venv/bin/python
	@echo "Installing minigan, $(TORCH), JAX and autograd into .venv (for comparison only) ..."
	@$(PIP) "$(TORCH)"
	@$(PIP) -e ".[parity]"
	@touch .venv/.has-package $@
