# Everything below works on a machine that has python3 (3.11+), pip, make and the package registries. `make` prints help.

PORT ?= 8000
HOME_DIR ?= .demo

VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.done
# --no-deps: the locked files are complete, so pip has nothing left to resolve.
INSTALL := python3 -m pip --python $(BIN)/python --disable-pip-version-check -qq install --root-user-action=ignore \
	--no-deps --no-build-isolation
LOCKED := $(INSTALL) --require-hashes
KERNEL := $(wildcard hatch_build.py src/offtake/*/*/*.c)
# Without a C compiler, one comes as a wheel; without that too, offtake renders in plain Python.
COMPILER := $(if $(shell command -v cc),,$(DONE)/zig)

.PHONY: help install demo test test-slow chaos check bench lock clean

help:  ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(DONE)/project $(DONE)/dev  ## Set everything up in .venv, with what the tests need

demo: $(DONE)/project $(DONE)/data  ## Build sample data and serve it (PORT=8000 HOME_DIR=.demo)
	@$(BIN)/offtake demo --home $(HOME_DIR) --port $(PORT)

test: $(DONE)/project $(DONE)/data $(DONE)/dev  ## Run the tests (ARGS= goes to pytest)
	@$(BIN)/python -m pytest $(ARGS)

test-slow: $(DONE)/project $(DONE)/data $(DONE)/dev  ## Run the large and the destructive tests
	@$(BIN)/python -m pytest -m slow --hypothesis-profile=thorough $(ARGS)

chaos: $(DONE)/project $(DONE)/data $(DONE)/dev  ## Kill servers, workers and databases under 300 running jobs (JOBS=)
	@CHAOS_JOBS=$(or $(JOBS),300) $(BIN)/python -m pytest -m slow -s tests/acceptance/chaos $(ARGS)

check: $(DONE)/project $(DONE)/dev  ## Lint, format, types, imports, dependencies, addresses
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry src
	$(BIN)/python -m pytest tests/house/test_addresses.py

bench: $(DONE)/project $(DONE)/data $(DONE)/dev $(DONE)/bench  ## Measure against other tools, as ratios (QUICK=1 for small tables)
	@QUICK=$(QUICK) $(BIN)/python -m bench

lock:  ## Write requirements/*.txt anew from *.in and pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH."; exit 1; }
	@for name in runtime build data zig dev bench clients; do \
		input=requirements/$$name.in; [ $$name = runtime ] && input=pyproject.toml; \
		nodeps=; [ $$name = data ] && nodeps=--no-deps; \
		UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-emit-find-links $$nodeps $$input -o requirements/$$name.txt || exit 1; \
		echo "requirements/$$name.txt"; \
	done

clean:  ## Remove .venv and the demo's home
	rm -rf $(VENV) $(HOME_DIR)

$(DONE)/venv:
	@python3 -c 'import sys; sys.exit("offtake needs python3 3.11 or newer." if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) ..."
	@python3 -m venv --without-pip $(VENV)
	@mkdir -p $(DONE) && touch $@

$(DONE)/build $(DONE)/runtime: $(DONE)/%: requirements/%.txt | $(DONE)/venv
	@$(LOCKED) -r $<
	@touch $@

$(DONE)/zig: requirements/zig.txt | $(DONE)/venv
	@$(LOCKED) -r $< || echo "No C compiler to be had: text formats will be slower."
	@touch $@

# These come as source archives in part, so the build tools come first.
$(DONE)/data $(DONE)/dev $(DONE)/bench: $(DONE)/%: requirements/%.txt | $(DONE)/build
	@$(LOCKED) -r $<
	@touch $@

$(DONE)/project: pyproject.toml $(KERNEL) $(DONE)/runtime $(DONE)/build $(COMPILER)
	@$(INSTALL) --editable .
	@touch $@
