# What can be done with this repository: make demo, test, soak, check, format, ui, bench, docs, lock, clean.
# Only Python 3.11 or newer, git and make have to be there. ARGS goes to the program behind demo, bench and lock;
# PYTEST goes to pytest, as in: make test PYTEST="tests/registry -x"

VENV := .venv
BIN := $(VENV)/bin
ARGS :=
PYTEST := -n auto
# Python that makes the environment; empty: the first fit one on PATH.
PYTHON :=

.PHONY: help demo test soak check check-ui format ui bench docs lock clean

help:
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

demo: $(VENV)/.demo ## show the whole loop: set up, then flyball demo
	$(BIN)/flyball demo $(ARGS)

test: check ## all checks and all tests, on real servers
	$(BIN)/python -m tools.provision
	$(BIN)/python -m pytest $(PYTEST)

soak: $(VENV)/.dev ## the long tests: kill parts of a running loop again and again, Spark; ROUNDS=50
	$(BIN)/python -m tools.provision
	FLYBALL_SOAK_ROUNDS=$(or $(ROUNDS),50) $(BIN)/python -m pytest -m "soak or slow"

check: $(VENV)/.dev check-ui ## format, lint, types, imports; of the web page its types and its logic
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Where there is no Node it says so: the page was then built with that of the package index, which is gone again.
check-ui: $(VENV)/.dev
	$(BIN)/python hatch_build.py check

ui: $(BIN)/python ## build the web page in ui/ into the package; needs Node 20.19 or newer
	$(BIN)/python hatch_build.py

format: $(VENV)/.dev ## put the code in shape
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.dev ## check that the documentation is whole and its code runs
	$(BIN)/python -m pytest tests/docs

lock: $(VENV)/.dev ## resolve the dependencies anew; ARGS=--upgrade takes the newest
	$(BIN)/python -m tools.lock $(ARGS)

clean: ## remove what was built, installed and cached here
	rm -rf $(VENV) .test-servers build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf ui/node_modules src/flyball/server/_page*
	rm -rf .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for all. What tests need contains what the demo needs, so once it is there nothing is installed twice.
$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	@if [ -e $(VENV)/.dev ]; then $(MAKE) --no-print-directory $(VENV)/.dev; else $(call install,demo); fi
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@$(call install,dev)
	@touch $@

define install
echo "Installing the packages of requirements/$(1).txt into $(VENV) ..." \
  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$(1).txt \
  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
endef

$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  found=$$python; \
	  $$python -c 'import ensurepip, venv' 2>/dev/null || continue; \
	  echo "Making $(VENV) with $$($$python --version)"; \
	  exec $$python -m venv $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
	  echo "Flyball: $$found cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv" >&2; \
	else \
	  echo "Flyball needs Python 3.11 or newer and found none on PATH. If it stands elsewhere: make PYTHON=/path/to/python3" >&2; \
	fi; exit 1
