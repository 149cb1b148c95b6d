# VENV may be set from outside: `make test VENV=/tmp/fresh`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
# Packages of which only files are read: the weights of `ge2e`; for tests human speech and Llama-3's vocabulary.
DATA := resemblyzer==0.1.4
DEV_DATA := moonshine-voice==0.1.5 llama-models==0.3.0
PACKAGES := llasa_core verifiers search experiments
TEXT ?= The morning train is late again.

# No part of a test or of the demo fetches anything.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_VERBOSITY ?= error

.PHONY: help install demo house check style test test-slow fuzz format bench pictures clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,ears]'
	$(BIN)/pip install --quiet --no-deps $(DATA)
	touch $@

# Beside what users get: tools of the tests, two of which are or hold parts under the GPL (zhconv, PyAV's wheels).
$(DEV): $(STAMP)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,ears,dev,train]'
	$(BIN)/pip install --quiet --no-deps $(DEV_DATA)
	touch $@

install: $(STAMP)  ## create the virtual environment with the exact versions of constraints.txt

demo: $(STAMP)  ## speak one sentence: 8 candidates, judged, the winner in demo/out.wav
	$(BIN)/llasa-search synth "$(TEXT)" -n 8 -o demo/out.wav --candidates demo/candidates --json demo/result.json

check: style  ## in a minute and a half: style, types, layers, and the tests that need no models, processes or Ray
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile -m "not (models or processes or ray or slow)"

style: $(DEV)  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: style  ## everything that a change has to pass, without the slow tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not (ray or slow)"
	$(BIN)/pytest -m "ray and not slow"

test-slow: $(DEV)  ## the slow tests: released model shapes with random weights
	$(BIN)/pytest -m slow

fuzz: $(DEV)  ## the property tests with thousands of new examples
	HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -q -m "hypothesis and not (ray or slow)" tests

house: $(DEV)  ## files, lines, circles of imports, files that synth and run enter; BEFORE=TREE: beside that tree
	$(BIN)/python -m tests.house $(BEFORE) .

format: $(DEV)  ## rewrite the sources in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## tokens a second, real-time factors of each part, seconds of audio judged a second
	$(BIN)/python -m experiments.bench
	$(BIN)/python -m experiments.bench.verifiers

pictures: $(STAMP)  ## what has to be looked at: a small sweep with real ears, its figures and its page as pictures
	$(BIN)/llasa-search sweep small --out pictures/sweep
	$(BIN)/llasa-search rescore pictures/sweep
	$(BIN)/llasa-search study pictures/sweep --figures pictures/figures --report pictures/study.html
	experiments/studies/photograph.sh pictures/study.html pictures/figures/*.svg

clean:  ## remove what the commands above wrote, not the environment
	rm -rf demo pictures .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
