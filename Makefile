# Every target installs what it needs into .venv; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test check format pytest chaos bench bench-inference bench-scale bench-report bench-search coverage precision docs plan run status retry verify report query clean

PYTHON ?= python3
RESULTS ?= results
ARGS ?=
PROCESSES ?= 3
PRECISIONS ?= tf32 bfloat16
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
HARNESS := $(BIN)/harness
SETTINGS := "results=$(RESULTS)" $(ARGS)
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
unexport PYTHONDONTWRITEBYTECODE # workers, kernels and tests are many processes, which would compile everything anew

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'
	@echo '  RESULTS=folder says where results go (results), ARGS="..." passes overrides, PYTHON=... chooses the Python'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is not: install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python) or name one with make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv)"; exit 2; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing the harness into $(VENV) (about 2 minutes the first time)"
	@$(PIP) install -e .
	@touch $@

# A Ray with its job server, which the harness does not need, is an environment of its own that sees the first.
$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what checks and tests need (about 2 minutes the first time)"
	@$(PIP) install -e '.[dev]'
	@$(PIP) install --no-deps xautodl mlcroissant
	@$(BIN)/python -m venv $(VENV)/job-server
	@$(BIN)/python -c 'import site; print(f"import site; site.addsitedir({site.getsitepackages()[0]!r})")' \
	  >"$$($(VENV)/job-server/bin/python -c 'import site; print(site.getsitepackages()[0])')/harness.pth"
	@$(VENV)/job-server/bin/python -m pip --disable-pip-version-check -q install 'ray[default]'
	@touch $@

install: $(VENV)/.installed ## install the harness into .venv
install-dev: $(VENV)/.installed-dev ## install also what checks and tests need

demo: install ## train the embedded zoo, measure it over Ray workers, build the report
	@jobs/demo.sh $(SETTINGS)

test: check pytest ## install, check, test

check: install-dev ## ruff, pyright, the import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

format: install-dev ## format and mend what ruff can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pytest: install-dev ## the tests alone; ARGS="-k name" chooses, PROCESSES=0 runs them in this process
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(PROCESSES) --dist loadfile $(ARGS)

chaos: install-dev ## kill workers, drivers and nodes at random moments, compare what comes of it; ARGS="--kills 100"
	@$(BIN)/python tests/chaos/chaos.py $(ARGS)

bench: install-dev ## how fast measurements and the reading of records are, as ratios within one run (4 minutes); ARGS="--tables sort libraries"
	@$(BIN)/python tests/bench/measure.py $(ARGS)

bench-inference: install-dev ## how fast networks are run, against plain modules and xautodl's (10 minutes on a CPU); ARGS="--images 64"
	@$(BIN)/python tests/bench/inference.py $(ARGS)

bench-scale: install ## what planning, placing and storing the whole study takes, as it grows; ARGS="--networks 1000,10000"
	@$(BIN)/python tests/bench/scale.py $(ARGS)

bench-report: install ## what the report takes on a store of the whole study, of made-up rows; ARGS="--networks 3000 --folder /tmp/made"
	@$(BIN)/python tests/bench/report.py $(ARGS)

bench-search: install ## how long it takes to compare four searches on all topologies, of made-up numbers; ARGS="--space sss"
	@$(BIN)/python tests/bench/search.py $(ARGS)

coverage: install ## how often bootstrap intervals cover the true value: a simulation (15 minutes); ARGS="--sets 20"
	@$(BIN)/python tests/bench/interval_coverage.py $(ARGS)

precision: install-dev ## what lower precisions do to measurements and rankings, on the embedded zoo
	@$(HARNESS) zoo train experiment=demo $(SETTINGS)
	@$(HARNESS) run experiment=demo study.conditions=[unshifted] keep_logits=float32 'store=$${results}/precision' $(SETTINGS)
	@for precision in $(PRECISIONS); do $(HARNESS) run experiment=demo study.conditions=[unshifted] \
	  'store=$${results}/precision' $(SETTINGS) study.precision=$$precision || exit $$?; done
	@$(BIN)/python tests/bench/precision.py "$(RESULTS)/precision"

docs: install ## write docs/measurements.md from the dictionary
	@$(BIN)/python -m harness.metrics.dictionary > docs/measurements.md.new
	@mv docs/measurements.md.new docs/measurements.md

plan: install ## show what is wanted, done and missing; ARGS="study.spaces=[tss] limit=2"
run: install ## make what is missing
status: install ## show what the store holds, failures and workers
retry: install ## make what has failed once more
verify: install ## prove that the store is sound and complete
report: install ## build the report
query: install ## ask the store; SQL="SELECT * FROM models"
	@$(HARNESS) query "$(SQL)" $(SETTINGS)

plan run status retry verify report:
	@$(HARNESS) $@ $(SETTINGS)

clean: ## remove .venv and caches; results stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
