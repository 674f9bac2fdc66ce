# make demo    install, fetch MNIST, train a convolutional net on it for some epochs
# make test    install what the tests need, and run them
# make lint    style and types
# make slow    the tests that take minutes
#
# PYTHON=python3.12 VENV=.venv312 make test   with another Python, in an environment of its own

PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev,parity,tfds
EPOCHS ?= 4

PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt --editable

.PHONY: demo test slow lint clean

demo: $(VENV)/installed
	$(VENV)/bin/nnjax train cnn2 --epochs $(EPOCHS)

test: $(VENV)/installed-for-tests
	$(VENV)/bin/python -m pytest -n 2

slow: $(VENV)/installed-for-tests
	$(VENV)/bin/python -m pytest -n 2 -m slow

lint: $(VENV)/installed-for-tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| (echo "nnjax needs Python 3.11 or newer; name one with PYTHON=..." && exit 1)
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) .
	@touch $@

$(VENV)/installed-for-tests: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) ".[$(EXTRAS)]"
	@touch $@ $(VENV)/installed
