# Everything that a developer types. Each target makes what it needs, once; a second run needs no network.

MAKEFLAGS += --no-print-directory
.SILENT:
.DEFAULT_GOAL := help
.PHONY: help demo test bench lint types docs clean constraints environment environment-demo prerequisites clients ui ui-demo

BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export PYTHONDONTWRITEBYTECODE := 1
# Certificates of the machine, which may be those of an organisation, count for uv as they do for pip.
export UV_SYSTEM_CERTS := true

help: ## print these lines
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: environment-demo ui-demo ## train, search and compare models against a server of our own
	$(BIN)/python examples/demo/main.py

test: lint types ui prerequisites clients ## every check: lint, types, and all tests with their real servers
	$(BIN)/python tools/ui.py test
	$(BIN)/python -m pytest -q -n 2

bench: environment ui prerequisites clients ## measure against MLflow on this machine, write benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py

lint: environment ## ruff over everything, eslint over the UI
	$(BIN)/ruff check --quiet .
	$(BIN)/python tools/ui.py lint

types: environment ## mypy, strict, over the package and its tests; tsc over the UI
	$(BIN)/mypy --no-error-summary
	$(BIN)/python tools/ui.py typecheck

ui: environment ## build the web UI into the package
	$(BIN)/python tools/ui.py build

docs: environment ## build the documentation into site/
	$(BIN)/mkdocs build --quiet --strict

clean: ## remove what the targets above made
	rm -rf .venv .envs .cache .demo site .mypy_cache .ruff_cache .pytest_cache .hypothesis ui/node_modules src/millstream/server/ui

constraints: environment ## pin the newest versions of everything again (needs the network)
	tools/constraints.sh

environment:
	tools/environment.sh dev test,lint,docs

environment-demo:
	tools/environment.sh demo demo

ui-demo: environment-demo
	$(BIN)/python tools/ui.py build

prerequisites: environment
	$(BIN)/python tools/prerequisites.py

clients: environment
	$(BIN)/python tools/client_envs.py
