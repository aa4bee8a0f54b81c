# Both `make compare` and `make test` set everything up themselves: Python 3.11 or newer with pip is all they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAINED := PIP_CONSTRAINT=$(CURDIR)/constraints.txt PIP_BUILD_CONSTRAINT=$(CURDIR)/constraints.txt

.PHONY: compare article2 test coverage lint bench notebooks address matrix wheel clean
.DELETE_ON_ERROR:

compare: $(VENV)/installed
	$(BIN)/bnrenorm compare $(ARGS)

# The second article's seven tables, one after the other; given again, it goes on where it was stopped.
ARTICLE2 := normalisation l1 l2 dropout dropout_100_epochs learning_rate_range gamma_beta_rate
article2: $(VENV)/installed
	for table in $(ARTICLE2); do $(BIN)/bnrenorm compare article2/$$table $(ARGS) || exit; done

# On all cores; ARGS=-n0 for one after the other.
test: $(VENV)/installed-dev
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

# Branch coverage of what reads input and keeps results: 95 % at least. Takes a quarter of an hour.
coverage: $(VENV)/installed-dev
	$(BIN)/pytest -n auto --dist worksteal --cov=bnrenorm.config --cov=bnrenorm.data --cov=bnrenorm.runs $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pyright --pythonpath $(BIN)/python --pythonplatform Windows bnrenorm

# Ours beside stock Chainer, PyTorch, JAX and the floor, with nothing else running; ARGS="--job small" is one of the jobs.
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks $(ARGS)

notebooks: $(VENV)/installed-dev
	$(BIN)/jupyter-execute --inplace notebooks/*.ipynb
	$(BIN)/python notebooks/ja/outputs.py

# Writes the address in pyproject.toml into README and notebooks; make address ADDRESS=https://... changes it there first.
address:
	$(PYTHON) docs/address.py $(ADDRESS)

# The tests on every Python 3.11 to 3.15 found here, with the newest dependencies, and up to 3.13 with the oldest too.
matrix:
	bash .ci/matrix

wheel: $(VENV)/installed
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "bnrenorm needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "python3 -m venv does not work here; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(CONSTRAINED) $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(CONSTRAINED) $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(CONSTRAINED) $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@
