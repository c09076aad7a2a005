# `make demo` and `make test` need Python 3.11+ and make, and nothing else: they set up .venv themselves.
# Which Python: make test PYTHON=python3.12

PYTHON ?= $(or $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

BENCH := .venv-bench
BENCH_STAMP := $(BENCH)/.installed

# The tests start hundreds of processes, and each would compile everything anew: write bytecode, whatever the shell says.
test test-all: export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-all check bench format generate clean help

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(STAMP) ## four emulated vendors, real conversations, what arrived where
	@$(BIN)/llmtee demo

test: $(STAMP) ## the suite, under four minutes on two cores
	@$(BIN)/pytest -q -n 2 -m "not slow"

test-all: $(STAMP) ## the suite, what is slow, and many more examples, new ones each time
	@HYPOTHESIS_PROFILE=explore $(BIN)/pytest -q -n 2

bench: $(BENCH_STAMP) ## what llmtee costs on this machine, beside its peers; BENCH_ARGS=--quick to try it
	@$(BENCH)/bin/python benchmarks/run.py $(BENCH_ARGS)
	@$(BENCH)/bin/python benchmarks/capture_cost.py
	@$(BENCH)/bin/python benchmarks/convert.py --size 20MB

check: $(STAMP) ## lint, format, types, imports, staleness of generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/generate.py --check

format: $(STAMP) ## format and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

generate: $(STAMP) ## rewrite the generated files: canonical schemas, docs/vendors.md, golden conversions
	@$(BIN)/python tools/generate.py
	@REGENERATE_GOLDEN=1 $(BIN)/pytest -q tests/golden

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(BENCH) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and "llmtee needs Python 3.11 or newer; %s is %d.%d. Name another: make PYTHON=python3.12" % ((sys.executable,) + v))'
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[cli,server,testing]" --group dev
	@touch $@

# The peers are installed here and nowhere else, one by one: one that cannot be is named, and the tables say so.
$(BENCH_STAMP): pyproject.toml
	@echo "setting up $(BENCH) (once)"
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[fast]"
	@$(BENCH)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench"], sep="\n")' \
		| while read peer; do \
			$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check "$$peer" || echo "$$peer cannot be installed"; \
		done
	@touch $@
