# Lyo Ops. `make help` lists what there is to type.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint unit molecule bench down clean lock chaos soak recovery coverage mutation

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH)
# Ours alone: a user's own Ansible configuration must not change what a target does.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## bring .venv and .tools to what the lock files say
	@scripts/setup

demo: setup ## set everything up and deploy Lyo to a cloud on this machine
	@scripts/demo

down: ## stop the local cloud and remove its state
	@if [ -x .venv/bin/python ]; then .venv/bin/python -m localcloud down; else echo "down: nothing was set up here"; fi

test: setup lint ## lint, every test and the molecule scenarios
	@scripts/test

molecule: setup ## the molecule scenario of every role, on one local cloud
	@scripts/molecule

chaos: setup ## kill runs at every call, and every schedule of faults: hours
	@LYO_CHAOS=all pytest -s tests/chaos tests/backup/test_interrupted.py

unit: setup ## the tests that start no server
	@pytest tests/unit

bench: setup ## measure the runbooks against other tools (40 minutes, quiet machine; BENCH=options)
	@scripts/bench $(BENCH)

soak: setup ## 50,000 requests over releases, rollbacks, kills and scaling: none may fail
	@python -m tests.soak --write

recovery: setup ## lose the database in every way and recover it, while guests book (30 minutes)
	@python -m tests.recovery --write

coverage: setup ## the tests take every branch of the decision code, or fail
	@python -m tests.mutation --coverage

mutation: setup ## change the decision code bit by bit: a test must notice each time
	@python -m tests.mutation

lint: setup ## every linter the project uses
	@scripts/lint

lock: setup ## resolve the lock files anew (UPGRADE=--upgrade for newer versions)
	@scripts/lock $(UPGRADE)

clean: down ## remove everything that set-up and runs have made
	rm -rf .venv .tools .cache .localcloud* .graphdouble* .pytest_cache .mypy_cache .ruff_cache .ansible
