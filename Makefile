# make run: the dashboard with example music.  make test: lint, types, tests.
# make check: lint and the quick tests of the core.  make coverage: make test, measured.
# make test-slow: what takes long, large networks above all.
# make fuzz: damaged files, weights and addresses, other ones each day; ten minutes at most.
# make docs: the manual, Chinese and English, in site/.
# make package: sdist and wheel in dist/, tried in an empty environment.
# make lock: constraints.txt anew, the versions of everything that is installed here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
# A process for each core; a file's tests stay together, for they share what is dear to set up.
PYTEST := pytest -n auto --dist loadfile
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# From the spectrogram to the verdict. Without those that start programs of their own (the command
# line, the docs, an installation), wait for children that hang, build a wheel, or decode hundreds of
# files; and without edits of the sound, help texts, and what earlier versions stored.
CORE := $(filter-out $(patsubst %,tests/test_%.py,audio cli docs edits examples formats headers \
	help hostile_files instruction_sets licences lock offline public release sandbox site \
	stored_formats zoo),\
	$(wildcard tests/test_*.py))
# The registry's PyTorch for Linux brings gigabytes of CUDA; this index has builds for processors.
TORCH_CPU := https://download.pytorch.org/whl/cpu

.PHONY: run test test-slow fuzz check core coverage lint format docs package lock clean

run: $(VENV)/run.stamp
	$(BIN)/ccmusic dashboard --port $(PORT)

test: lint
	$(BIN)/python -m $(PYTEST)

test-slow: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m slow

fuzz: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m fuzz

# Side by side, for one of the two is mypy.
check: $(VENV)/test.stamp
	$(MAKE) --jobs=2 lint core

core: $(VENV)/test.stamp
	$(BIN)/python -m $(PYTEST) --quiet $(CORE)

coverage: $(VENV)/test.stamp
	$(BIN)/coverage erase
	$(MAKE) test PYTEST="coverage run -m $(PYTEST)"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

package: $(VENV)/test.stamp
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python .ci/try_wheel.py dist/*.whl

# For every Python and system that pyproject.toml names, whichever this one is.
lock: $(VENV)/test.stamp
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --upgrade --universal \
		--python-version 3.11 --all-extras --no-annotate --constraint constraints.in \
		--output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) dist site .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[dashboard]'
	touch $@

$(VENV)/docs.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[docs]'
	touch $@

# PyTorch comes first and alone, so that only it is looked for in its index. Where that cannot be
# reached, pip takes the registry's build, as it does for whoever has an NVIDIA driver.
$(VENV)/test.stamp: pyproject.toml constraints.txt | $(BIN)/python
	if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
		$(INSTALL) --no-deps --retries 1 --extra-index-url $(TORCH_CPU) torch torchvision || \
		echo "no PyTorch for processors from $(TORCH_CPU); trying the registry's" >&2; \
	fi
	$(INSTALL) --editable '.[api,batch,dashboard,ray,torch,dev,docs]'
	touch $@
