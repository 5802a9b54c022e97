# Two commands do everything: `make demo` and `make test`. Both set up .venv first. `make demo STORE=neo4j` starts a
# Neo4j for it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SIZE ?= quick
STORE ?= sqlite
STAMP := $(VENV)/.ready

.PHONY: setup demo test check bench constraints clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "graphmem needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 demo")'
	@echo "Setting up .venv (once, some minutes: PyTorch and the embedder's weights are large) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt --editable . --group dev
	@touch $(STAMP)

demo: setup
	@$(BIN)/python -m $(if $(filter neo4j,$(STORE)),tests.neo4j.demo,graphmem.api.demo)

test: setup
	@$(BIN)/python -m pytest -q

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: setup
	@SIZE=$(SIZE) OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.bench

# The newest versions that the ranges allow, in a fresh environment (PyTorch's own libraries follow from PyTorch's).
constraints:
	@rm -rf build/newest && $(PYTHON) -m venv build/newest
	@build/newest/bin/python -m pip install --quiet --editable . --group dev
	@sed -n '/^#/p' constraints.txt >build/constraints.txt
	@build/newest/bin/python -m pip freeze --exclude-editable | grep -v -E '^(nvidia-|cuda-|triton)' >>build/constraints.txt
	@mv build/constraints.txt constraints.txt && rm -rf build/newest

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
