# `make demo` and `make test` do all of their own set-up. `make help` lists the rest.
#
# PYTHON=python3.12    chooses the Python; without it the first of python3,
#                      python3.13, python3.12, python3.11 that is supported
# PYTEST_ARGS="-k x"   is passed on to pytest
# JOBS=4               runs the tests in so many processes, of 2 GB each; without it two
# BENCH_ARGS="..."     is passed on to the benchmarks

VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
CONSTRAINTS := tests/oldest-constraints.txt
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
OLDEST_PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3)
JOBS ?= 2
PYTEST := -m pytest --numprocesses $(JOBS) --dist worksteal
# Twice quiet: errors only.
PIP_INSTALL := -m pip install -qq --disable-pip-version-check
SOURCES := skkeras_tune tests examples docs
# The tests of the estimators, whose engine="auto" lets NumPy run most of them.
ENGINE_TESTS := $(patsubst %,tests/test_%.py,callbacks class_weights continuing \
	early_stopping errors estimator_checks estimators losses meta_estimators \
	metadata_routing parameters persistence reproducibility rows targets)

# Leaves out TensorFlow's start-up messages, but for a few that it writes regardless.
export TF_CPP_MIN_LOG_LEVEL ?= 3
# The user's ~/.keras/keras.json may name another backend.
export KERAS_BACKEND := tensorflow
# Pictures are saved, not shown.
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-fast test-keras test-compiled test-oldest lint types pytest docs bench format clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile \
		| while IFS='|' read -r name text; do printf '%-20s%s\n' "$$name" "$$text"; done

demo: $(VENV)/.demo  ## Install, and run examples/quickstart.py
	@$(BIN)/python examples/quickstart.py

test: lint types pytest  ## Install, and run lint, types and all tests

test-fast: PYTEST_ARGS += -m "not slow"
test-fast: lint types pytest  ## The same without the slow tests

test-keras:  ## Run the tests of the estimators on Keras's loop
test-compiled:  ## Run them with every training compiled that can be
test-keras test-compiled: test-%: $(VENV)/.test
	@echo "== pytest on the engine \"$*\""
	@SKKERAS_TUNE_TEST_ENGINE=$* \
		$(BIN)/python $(PYTEST) $(ENGINE_TESTS) $(PYTEST_ARGS)

test-oldest: $(OLDEST)/.test  ## Run the tests on the oldest supported versions
	@echo "== pytest on the oldest supported versions"
	@$(OLDEST)/bin/python $(PYTEST) $(PYTEST_ARGS)

lint: $(VENV)/.test  ## Check style and spelling
	@echo "== ruff, codespell"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . \
		|| { echo "Run 'make format' to format these files:"; \
		     $(BIN)/ruff format --check . ; exit 1; }
	@$(BIN)/codespell

types: $(VENV)/.test  ## Check types
	@echo "== mypy"
	@$(BIN)/mypy

pytest: $(VENV)/.test  ## Run all tests, without lint and types
	@echo "== pytest"
	@$(BIN)/python $(PYTEST) $(PYTEST_ARGS)

docs: $(VENV)/.docs  ## Build the documentation into docs/_build/html
	@rm -rf docs/generated
	@$(BIN)/sphinx-build -q -E -W --keep-going -b html docs docs/_build/html
	@echo "Built docs/_build/html/index.html"

bench: $(VENV)/.bench  ## Run the benchmarks
	@$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

format: $(VENV)/.test  ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

clean:  ## Remove the environments and all that was built
	@rm -rf $(VENV) $(OLDEST) build dist docs/_build docs/generated
	@rm -rf .mypy_cache .pytest_cache .ruff_cache
	@find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# $(call create_venv,FOLDER,CANDIDATES,RANGE,WORDS) makes an environment with the first
# candidate whose (major, minor) lies in RANGE.
define create_venv
	@chosen=; \
	for candidate in $(2); do \
		if "$$candidate" -c 'import sys; v = sys.version_info[:2]; sys.exit(not $(3))' \
			>/dev/null 2>&1; then chosen=$$candidate; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
		echo "skkeras-tune needs Python $(4) here, and none of these is one: $(2)." >&2; \
		echo "Install one and name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; \
	fi; \
	echo "Making $(1) with $$("$$chosen" --version)"; \
	"$$chosen" -m venv --clear $(1)
	@touch $@
endef

$(VENV)/.created:
	$(call create_venv,$(VENV),$(PYTHONS),(3, 11) <= v <= (3, 13),3.11 to 3.13)

$(OLDEST)/.created:
	$(call create_venv,$(OLDEST),$(OLDEST_PYTHONS),(3, 11) <= v <= (3, 12),3.11 or 3.12)

# Stamps inside the environment: installed once, and again when pyproject.toml changes.
$(VENV)/.demo: EXTRAS := demo
$(VENV)/.test: EXTRAS := demo,genetic,optuna,test,lint
$(VENV)/.docs: EXTRAS := docs
$(VENV)/.bench: EXTRAS := demo,test,lint,bench
$(VENV)/.demo $(VENV)/.test $(VENV)/.docs $(VENV)/.bench: $(VENV)/.created pyproject.toml
	@echo "Installing skkeras-tune[$(EXTRAS)] into $(VENV) (TensorFlow is large: minutes)"
	@$(BIN)/python $(PIP_INSTALL) --editable ".[$(EXTRAS)]"
	@touch $@

# Without sklearn-genetic-opt, which needs NumPy 1.26.1.
$(OLDEST)/.test: $(OLDEST)/.created pyproject.toml $(CONSTRAINTS)
	@echo "Installing skkeras-tune[demo,optuna,test] into $(OLDEST), oldest versions (minutes)"
	@$(OLDEST)/bin/python $(PIP_INSTALL) -c $(CONSTRAINTS) --editable ".[demo,optuna,test]"
	@touch $@
