# What can be done with this project: `make` alone lists it.
#
# All of it happens in a virtual environment of the project's own, made on first use.

PYTHON ?= python3
VENV ?= .venv
ARCHIVE ?= archive
PORT ?= 8000
PYTEST ?=
TOGETHER ?= 2

# Packages are compiled when they are first used, not when they are installed; what is compiled is kept.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
ROOTS := datamodel processing registry vo_server
SOURCES := $(ROOTS) tests bench docs
PINNED := setup.cfg pyproject.toml constraints.txt
FAST := not postgresql and not clients and not killing and not thorough

.DEFAULT_GOAL := help
.PHONY: help init check fix test test-clients demo serve docs constraints changes clean

help: ## list what can be done
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-13s %s\n", $$1, $$2}'

init: $(VENV)/.test $(VENV)/.docs ## make the environment of a developer, and the hooks before a commit
	@if [ -d .git ]; then $(BIN)/pre-commit install; fi

demo: $(VENV)/.demo ## make, fill and serve an archive; PORT= and ARCHIVE= change where
	@exec $(BIN)/vo-server demo --archive '$(ARCHIVE)' --port '$(PORT)'

serve: $(VENV)/.demo ## serve an archive that is there; PORT= and ARCHIVE= say which
	@exec $(BIN)/vo-server serve --archive '$(ARCHIVE)' --port '$(PORT)'

test: $(VENV)/.test ## run the fast tests, TOGETHER= at a time; PYTEST= adds arguments
	$(BIN)/python -m pytest -m '$(FAST)' -n $(TOGETHER) --dist loadfile $(PYTEST)

test-clients: $(VENV)/.test ## run the second tier: PostgreSQL, real clients, what takes long
	.ci/second-tier $(BIN)/python

check: $(VENV)/.test ## look at style, types, imports and docstrings; changes nothing
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(find $(ROOTS) -name '*.py')

fix: $(VENV)/.test ## mend what a machine can mend
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

docs: $(VENV)/.docs ## build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo 'docs/_build/html/index.html'

constraints: $(VENV)/.test $(VENV)/.docs ## write down the versions installed here, for everybody
	$(PIP) freeze --exclude-editable > constraints.txt
	@touch $(VENV)/.demo $(VENV)/.test $(VENV)/.docs

changes: $(VENV)/.test ## show what the news fragments say
	$(BIN)/towncrier build --draft --version next

clean: ## remove what was built, but no archive and no environment
	rm -rf build docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python $(PINNED)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: $(BIN)/python $(PINNED)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable '.[test]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true  # else the first tests pay for it
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: $(BIN)/python $(PINNED)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable '.[docs]'
	@touch $@ $(VENV)/.demo
