# Everything a newcomer needs is Python >= 3.11 and make; each target sets up what it needs, once.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test proof conformance bench lint docs lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/embedded ## Start everything, run the sample orders, show where to look; ARGS=--exit ends by itself
	@$(BIN)/saga demo $(ARGS)

test: .venv/ready .venv/browser bpmn/node_modules/.installed ## Run the tests; ARGS=tests/kit runs a part of them
	$(BIN)/python -m tests.lanes $(ARGS)

proof: .venv/ready .venv/browser bpmn/node_modules/.installed ## Run the long proofs that `make test` leaves out; ARGS=--ci what fits into 15 minutes
	$(BIN)/python -m tests.proof $(ARGS)

conformance: .venv/ready ## Compare a cluster with what we know of Zeebe: ZEEBE_ADDRESS=host:26500 CAMUNDA_REST_ADDRESS=http://host:8080
	$(BIN)/python -m pytest tests/conformance --tb=no -q $(if $(ZEEBE_ADDRESS),--cluster) $(ARGS)

bench: .venv/ready ## Measure the job runtime beside its peers; ARGS=--quick for a short run
	$(BIN)/python -m tests.benchmarks $(ARGS)

lint: .venv/ready bpmn/node_modules/.installed ## Check the code, its types and the diagram
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix bpmn run --silent lint

docs: .venv/ready .venv/browser bpmn/node_modules/.installed ## Write anew what README and docs/ take from diagram and steps
	$(BIN)/python bpmn/render.py
	$(BIN)/python -m order_fulfillment.docs

lock: .venv/ready ## Resolve the dependencies anew and pin them with hashes
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --upgrade \
		--extra engine pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --upgrade \
		--all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--extra embedded --extra build -c requirements-dev.lock pyproject.toml -o requirements-embedded.lock

clean: ## Remove what was set up; the stacks' data in .saga stays
	rm -rf .venv bpmn/node_modules .mypy_cache .ruff_cache .pytest_cache

bpmn/node_modules/.installed: bpmn/package-lock.json | .venv/ready
	$(BIN)/python -c 'from saga.stack.node import install_packages; install_packages()'
	@touch $@

# The tests look at the diagram and at its forms in a real browser: the machine's own, or else Playwright's.
.venv/browser: .venv/ready
	@command -v chromium || command -v chromium-browser || command -v google-chrome || $(BIN)/playwright install chromium
	@touch $@

# All that tests and checks need: a gigabyte more than the demo does.
.venv/ready: .venv/embedded requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

.venv/embedded: pyproject.toml requirements-embedded.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version) if sys.version_info < (3, 11) else None'
	@echo "Installing Python packages into .venv, once: a minute or two."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-embedded.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
