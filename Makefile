# `make demo` and `make test` set up what they need and are safe to repeat.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test lint types unit bench-tiles clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv and install everything into it

$(STAMP): constraints.txt pyproject.toml client/pyproject.toml export/pyproject.toml serving/pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else f"Impasto needs Python 3.10 to 3.13, and $(PYTHON) is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt \
	    -e './client[cli]' -e ./export -e ./serving --group dev
	@touch $@

demo: setup ## run the jobs on real pictures with the embedded server; results in demo/
	$(BIN)/python -m impasto.serving demo --models models --examples examples --out demo

test: lint types unit ## lint, type checks and every test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/pytest

clean: ## remove what the targets made
	rm -rf $(VENV) demo .mypy_cache .pytest_cache .ruff_cache
