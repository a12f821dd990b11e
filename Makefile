# make lab        set up (once) and open JupyterLab on the first notebook
# make test       set up (once) and run every test, the notebooks included
# make notebooks  execute all notebooks in place and leave clean metadata
# make env        only set up
# make lint       ruff, format included, and mypy
# make coverage   which lines and branches the tests reach: a report, on the terminal and in htmlcov/
# make bench      side-by-side measurements against peers
# make train      train notebook 07's codec: DATA=folder of photos, VALID=photos to measure on
# make train-lessons  train the priors that notebooks 08 to 10 compare, the same way
# make train-codec    train the full codec that ships, and write its model card, the same way

PYTHON ?= python3
BIN    := .venv/bin
READY  := .venv/ready
EXTRAS := photos,notebooks,peers,dev
SHELL  := /bin/bash
NBVAL  := --nbval --nbval-sanitize-with notebooks/nbval_sanitize.cfg --nbval-cell-timeout 300

.PHONY: lab test notebooks env lint coverage bench train train-lessons train-codec

env: $(READY)

# Installed anew only when the list of dependencies changes.
$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

# In a container, where everybody is root, JupyterLab wants to be told that this is meant.
lab: $(READY)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(firstword $(sort $(wildcard notebooks/*.ipynb)))

test: $(READY)
	$(BIN)/python -m pytest $(NBVAL) tests notebooks

notebooks: $(READY)
	$(BIN)/python -m tutorial_lib.workbench.notebooks notebooks/*.ipynb

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: $(READY)
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html tests

bench: $(READY)
	$(BIN)/python benchmarks/coders.py
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/priors.py
	$(BIN)/python benchmarks/codec.py

train: $(READY)
	$(if $(and $(DATA),$(VALID)),,$(error Say which photos: make train DATA=folder VALID=other-folder))
	$(BIN)/python benchmarks/first_codec.py --data "$(DATA)" --valid "$(VALID)" --checkpoints data/checkpoints

train-lessons: $(READY)
	$(if $(and $(DATA),$(VALID)),,$(error Say which photos: make train-lessons DATA=folder VALID=other-folder))
	$(BIN)/python benchmarks/lessons.py --data "$(DATA)" --valid "$(VALID)" --checkpoints data/checkpoints

train-codec: $(READY)
	$(if $(and $(DATA),$(VALID)),,$(error Say which photos: make train-codec DATA=folder VALID=other-folder))
	$(BIN)/lic train --data "$(DATA)" --valid "$(VALID)" --preset standard --out data/checkpoints/codec.safetensors
	$(BIN)/python benchmarks/codec_card.py --valid "$(VALID)"
