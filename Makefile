# Two commands do all the set-up on a fresh machine with Python 3.11 or newer:
#
#     make demo       compile and simulate ResNet-50, dense and sparse
#     make test       pass the tests
#
# Each makes the environment .venv by itself, with the packages that it needs and no more,
# and again when pyproject.toml has changed.  PYTHON=/path/to/python chooses the interpreter.

PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
VENV := .venv
BIN := $(VENV)/bin

# What the environment holds: the packages to run, to test, to develop.
EXTRAS_run :=
EXTRAS_test := [test]
EXTRAS_page := [page]
EXTRAS_dev := [dev]

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test zoo page check bench golden cells wheel clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(VENV)/run.stamp ## ResNet-50 dense and sparse: prepare, compile, simulate, compare (1 min)
	@$(BIN)/python examples/resnet50.py

# Every core has a worker of its own; threads inside them would only be in each other's way.
test: export OPENBLAS_NUM_THREADS := 1
test: $(VENV)/test.stamp ## the tests: FileCheck with lit, then pytest (8 min)
	$(BIN)/lit -sv test
	$(BIN)/pytest -q -n auto --maxprocesses 8 --dist loadfile

zoo: export OPENBLAS_NUM_THREADS := 1
zoo: $(VENV)/test.stamp ## every network that bsc prepare knows in every form, bit for bit (15 min)
	$(BIN)/pytest -q -n auto --maxprocesses 8 -m zoo

page: $(VENV)/page.stamp ## the page of bsc view in headless Chromium, which must be installed (1 min)
	$(BIN)/pytest -q test/page

check: $(VENV)/dev.stamp ## format, lint, and strict types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/run.stamp ## time and memory of passes and simulation; the golden metrics (15 min)
	@$(BIN)/python benchmarks/compile_and_simulate.py
	@$(BIN)/python benchmarks/event_order.py
	@$(BIN)/python benchmarks/golden_metrics.py

golden: $(VENV)/run.stamp ## sweep the paper's Table 2 and write the golden metrics anew (4 min)
	@$(BIN)/python benchmarks/golden_metrics.py --write

cells: $(VENV)/run.stamp ## run every cell of Table 2: is each tensor onnxruntime's? (8 min)
	@mkdir -p out
	@$(BIN)/bsc sweep --check --models resnet50,inception_v3,vgg16 --timing serial \
		--arch paper-2x2,paper-3x3,paper-4x4,paper-5x5,paper-6x6,paper-7x7,paper-8x8 \
		--sparsity 0,0.5 -o out/cells.json

wheel: $(VENV)/run.stamp ## build a wheel and try it in a clean environment, outside this folder
	@.ci/check-wheel $(BIN)/python

clean: ## remove the environment and everything that was made
	rm -rf $(VENV) out build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that could not be finished has no stamp, and is made anew.
$(VENV)/%.stamp: pyproject.toml
	@ls $(VENV)/*.stamp >/dev/null 2>&1 || { $(new_environment); }
	@echo "$(VENV): installing the packages to $*"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.$(EXTRAS_$*)'
	@touch $@

# By the first of the candidates that runs, is new enough, and can make one.
define new_environment
for python in $(CANDIDATES); do \
    if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
        >/dev/null 2>&1; then \
        echo "$(VENV): created with $$($$python --version)"; \
        exec $$python -m venv --clear $(VENV); \
    fi; \
done; \
echo "error: Python 3.11 or newer with its venv module is needed (tried: $(CANDIDATES)):" \
    "give one with PYTHON=/path/to/python" >&2; exit 1
endef
