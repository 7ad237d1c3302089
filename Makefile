PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SCATTER := $(VENV)/torch-scatter
EXTRAS := .venv-extras
PLAYWRIGHT := $(VENV)/playwright
# threads that wait sleep: where they spin, two of them are ten times as slow as one beside another busy process
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo docs test test-zoo lint bench test-browser test-scatter test-extras

demo: $(VENV)/.demo
	$(BIN)/scge demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/zoo --ignore=scge_pyg/zoo

test-zoo: $(VENV)/.dev
	$(BIN)/python -m pytest tests/zoo scge_pyg/zoo

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/discovery.py --quick
	$(BIN)/python benchmarks/shuffled_classification.py --quick
	$(BIN)/python benchmarks/wiring.py --quick
	$(BIN)/python benchmarks/wiring_starts.py --quick
	$(BIN)/python benchmarks/wiring_accuracy.py --quick
	$(BIN)/python benchmarks/operators_on_graphs.py --quick
	$(BIN)/python benchmarks/gradient.py --quick
	$(BIN)/python benchmarks/ring.py --quick
	$(BIN)/python benchmarks/smoothness.py --quick
	$(BIN)/python benchmarks/far_patches.py --quick
	$(BIN)/python benchmarks/operators.py --quick
	$(BIN)/python benchmarks/estimator_bias.py --quick
	$(BIN)/python benchmarks/cgae_estimators.py --quick
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/isometry.py
	$(BIN)/python benchmarks/compression.py --quick
	$(BIN)/python benchmarks/modalities.py --quick
	$(BIN)/python benchmarks/mixtures.py --quick
	$(BIN)/python benchmarks/alignment.py --quick
	$(BIN)/python benchmarks/two_cameras.py --quick
	$(BIN)/python benchmarks/calibration.py
	$(BIN)/python benchmarks/layouts.py --quick
	$(BIN)/python benchmarks/leaders.py --quick
	$(BIN)/python benchmarks/roads.py
	$(BIN)/python benchmarks/fusion.py --quick
	$(BIN)/python benchmarks/control.py --quick
	$(BIN)/python benchmarks/resume.py --quick
	$(BIN)/python benchmarks/train_overhead.py --quick
	$(BIN)/python benchmarks/training_memory.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/workers.py --quick
	$(BIN)/python benchmarks/dask_arrays.py --quick
	$(BIN)/python benchmarks/cgae_note.py --quick
	$(BIN)/python benchmarks/cgae.py --quick
	$(BIN)/python benchmarks/cgae_points.py --quick

# the site in docs/_build/html: every page, the API, and all tutorials run in their quick form, some five minutes the first time
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -n -b html docs docs/_build/html
	@echo docs/_build/html/index.html

# torch-scatter lives in a folder of its own, so that `make test` goes on running without it
test-scatter: $(SCATTER)/.built
	PYTHONPATH=$(SCATTER) $(BIN)/python -c "import torch_geometric.typing as t; assert t.WITH_TORCH_SCATTER"
	PYTHONPATH=$(SCATTER) $(BIN)/python -m pytest

# reports in a real Chromium: apt-get install chromium, or SCGE_CHROMIUM=/path; playwright has a folder of its own
test-browser: $(PLAYWRIGHT)/.built
	PYTHONPATH=$(PLAYWRIGHT) $(BIN)/python -m pytest -rs tests/browser

# libraries of other fields, with the pandas that anndata needs, in an environment of their own
test-extras: $(EXTRAS)/.built
	$(EXTRAS)/bin/python -m pytest tests/io tests/graph/hand_over tests/integration/test_control_benchmark.py \
		tests/integration/test_docs.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[demo,plot]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) -e '.[bench]'
	touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(PIP) -e '.[docs]'
	touch $@

$(SCATTER)/.built: constraints.txt | $(VENV)/.dev
	$(PIP) setuptools wheel
	$(PIP) --no-build-isolation --no-deps --upgrade --target $(SCATTER) torch-scatter
	touch $@

$(PLAYWRIGHT)/.built: constraints.txt | $(VENV)/.dev
	$(PIP) --upgrade --target $(PLAYWRIGHT) playwright
	touch $@

$(EXTRAS)/.built: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(EXTRAS)
	sed 's/^pandas==.*/pandas==2.3.3/' constraints.txt > $(EXTRAS)/constraints.txt
	$(EXTRAS)/bin/python -m pip install --quiet --disable-pip-version-check -c $(EXTRAS)/constraints.txt \
		-e '.[dev,readers]' cma cooler edfio eeglabio gymnasium h5netcdf pybv scanpy
	touch $@
