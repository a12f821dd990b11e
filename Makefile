# make lab        set up (once) and open JupyterLab on the first notebook
# make test       set up (once) and run every test, the notebooks included
# make notebooks  execute all notebooks in place, leave clean metadata, collect the scoreboard's rows; then frames
# make frames     draw what the site's sliders show, after a notebook was executed: NOTEBOOKS=notebooks/12_full_codec.ipynb
# make student    copies of the notebooks without solutions, in build/student
# make solutions  copies with the stubs filled in, executed, in build/solutions
# make address    write where the course is published, badges included: REPO=owner/name
# make env        only set up
# make site       build the site's pages from the executed notebooks: build/site/html/index.html
# make test-colab run all notebooks with Colab's versions, each alone in a bare folder; minutes. COLAB=path of Python 3.13
# make web        what opens .lic files in a browser, from the checkpoint that ships: build/web (needs Node and npm)
# make test-web   all photos of a folder decoded by it and by Python, and bad files: DATA=folder
# make test-site  build them, and look at every page in a browser (Chromium or Chrome)
# make test-browser  run each notebook's widget, and two exercises, in JupyterLab in such a browser; minutes
# make lint       ruff, format included, and mypy
# make fuzz       coverage-guided fuzzing of everything that reads files, a minute each (Linux; FUZZ_SECONDS=600)
# make coverage   which lines and branches the tests reach: a report, on the terminal and in htmlcov/
# make bench      one table of measurements, side by side with peers; minutes. BENCH='coders --check' for a part of it
# make train      train notebook 07's codec: DATA=folder of photos, VALID=photos to measure on
# make train-lessons  train the priors that notebooks 08 to 10 compare, the same way
# make train-codec    train the full codec, the same way; benchmarks/README.md says how its model card is made

# python3, unless it is older or newer than what the course was tried with, and one that fits is beside it.
FITS   := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c '$(FITS)' 2>&- && echo $(name))) python3)
BIN    := .venv/bin
READY  := .venv/ready
EXTRAS := photos,notebooks,peers,dev,fuzz,site,web
SHELL  := /bin/bash
NBVAL  := --nbval --nbval-sanitize-with notebooks/nbval_sanitize.cfg --nbval-cell-timeout 300

.PHONY: lab test fuzz site test-site test-browser web test-web test-colab notebooks frames student solutions address env lint coverage bench train train-lessons train-codec

env: $(READY)

# Installed anew only when the list of dependencies changes.
$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@$(PYTHON) -c '$(FITS)' || echo "The course was tried with Python 3.11, 3.12 and 3.13; what follows may fail with a newer one."
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv. Where PyTorch comes with CUDA, as on Linux, that downloads more than 3 GB, and is silent meanwhile."
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	touch $@

# In a container, where everybody is root, JupyterLab wants to be told that this is meant.
lab: $(READY)
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(firstword $(sort $(wildcard notebooks/*.ipynb)))

test: $(READY)
	$(BIN)/python -m pytest $(NBVAL) --ignore=tests/site --ignore=tests/browser tests notebooks

# One seed, so that a failure comes again. libFuzzer writes the input that fails to build/fuzz.
FUZZ_SECONDS ?= 60
fuzz: $(READY)
	for target in container tables rans picture checkpoint; do \
	    $(BIN)/python tests/fuzz/guided.py $$target -max_total_time=$(FUZZ_SECONDS) -seed=1 -verbosity=0 \
	        -print_final_stats=1 || exit 1; done

notebooks: $(READY)
	$(BIN)/python -m tutorial_lib.workbench.notebooks notebooks/*.ipynb
	$(BIN)/python -m tutorial_lib.workbench.scoreboard notebooks/*.ipynb
	$(BIN)/python site/record.py notebooks/*.ipynb

NOTEBOOKS ?= notebooks/*.ipynb
frames: $(READY)
	$(BIN)/python site/record.py $(NOTEBOOKS)

student solutions: $(READY)
	$(BIN)/python -m tutorial_lib.workbench.lesson_copies $@ build/$@ notebooks/*.ipynb

address: $(READY)
	$(if $(REPO),,$(error Say which repository: make address REPO=owner/name))
	$(BIN)/python -m tutorial_lib.workbench.address "$(REPO)"

# Nothing is executed, nothing is fetched: a site without warnings, or none.
site: $(READY)
	$(BIN)/python site/gather.py build/site/source
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html -c site build/site/source build/site/html

test-browser: $(READY)
	$(BIN)/python -m pytest -rs --reruns 1 tests/browser

test-site: site
	$(BIN)/python -m pytest -rs tests/site

# Made anew from beginning to end, as all of it depends on the checkpoint.
web: $(READY) web/node_modules/ready
	rm -rf build/web
	$(BIN)/python web/export.py build/web/model
	$(BIN)/python web/assemble.py build/web
	$(BIN)/python web/samples.py build/web/samples
	node web/wire_size.js build/web

web/node_modules/ready: web/package-lock.json
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	touch $@

test-web: $(READY) web/node_modules/ready
	$(if $(DATA),,$(error Say which photos: make test-web DATA=folder))
	LIC_PHOTOS="$(DATA)" $(BIN)/python -m pytest -s tests/web

# In an environment of its own, from this clone's last commit.
test-colab:
	$(PYTHON) tests/colab/run.py $(if $(COLAB),--python $(COLAB))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: $(READY)
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html tests

bench: $(READY)
	$(BIN)/python benchmarks/bench.py $(BENCH)

train: $(READY)
	$(if $(and $(DATA),$(VALID)),,$(error Say which photos: make train DATA=folder VALID=other-folder))
	$(BIN)/python benchmarks/first_codec.py --data "$(DATA)" --valid "$(VALID)" --checkpoints data/checkpoints

train-lessons: $(READY)
	$(if $(and $(DATA),$(VALID)),,$(error Say which photos: make train-lessons DATA=folder VALID=other-folder))
	$(BIN)/python benchmarks/lessons.py --data "$(DATA)" --valid "$(VALID)" --checkpoints data/checkpoints

train-codec: $(READY)
	$(if $(and $(DATA),$(VALID)),,$(error Say which photos: make train-codec DATA=folder VALID=other-folder))
	$(BIN)/lic train --data "$(DATA)" --valid "$(VALID)" --preset standard --out data/checkpoints/codec.safetensors
