# Thin: every target is one call of something that can also be called by hand.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help tools test-tools study test test-unit test-integration lint format docs test-roles test-cloud test-build test-machines test-faults test-icehouse bench bench-analysis bench-load bench-runs bench-integrity lock destroy clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
STUDY ?= quick
INVENTORY ?= inventories/local
# Other folders may be on PATH first; the kit's own tools win.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

help: ## Print the targets
	@echo "postcopy-lab: build a lab, measure live migrations in it, report what was reproduced"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'
	@echo "Variables: STUDY=$(STUDY) INVENTORY=$(INVENTORY)"

study: tools ## Everything from nothing: tools, lab, study, report (again: only what is missing)
	@# Exit code 3: the study is through, some of its runs failed. That is a result, so the report follows.
	@postcopy-lab study $(STUDY) --inventory $(INVENTORY) --provision || [ $$? -eq 3 ]
	@postcopy-lab report $(STUDY) --inventory $(INVENTORY)

test: test-tools lint ## Lint, unit tests, every role in molecule scenarios, real migrations (without what is marked long)
	@# In the order of the folders: labs and scenarios, which take minutes each, before the unit tests.
	pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" -v --durations 25 tests \
	  --ignore tests/source_builds --ignore tests/machines --ignore tests/icehouse
	@echo "==> left out: tests/icehouse, which needs sources of 2015 (make test-icehouse); what is marked long (CONTRIBUTING.md)"

test-unit: test-tools lint ## Lint and unit tests alone: no container, no lab (4 minutes on 2 idle cores)
	pytest -n 2 --dist loadfile --durations 15 tests/unit

test-integration: test-tools ## One lab in containers, real migrations in it, their evidence and report
	pytest -v --durations 0 tests/integration/test_one_migration.py

# The long tests, with the short ones of the same folder: minutes each, for what one of the short ones shows in small.
test-roles: test-tools ## Each role's molecule scenario by itself, with every bad input
	pytest -n 2 --dist loadfile --no-loadscope-reorder -v --durations 25 tests/roles

test-cloud: test-tools ## A cloud in containers and each fault in it: nova waits a minute before it takes a service for lost
	pytest -v --durations 0 tests/integration/test_cloud.py

test-build: test-tools ## QEMU and libvirt built from Debian's sources, a migration with both, every bad input of a build
	pytest -v --durations 0 "tests/roles/test_roles.py::test_scenario[software]" tests/source_builds

test-machines: test-tools ## Three machines of their own (QEMU guests): clocks, loss, restarts, names, copies, sudo, NFS (half an hour)
	FAULTS_SEEN=docs/faults.json pytest -v --durations 0 tests/machines
	$(BIN)/python tools/role_docs.py

test-faults: test-tools ## Faults provoked in a real lab, and in each task of a run; makes docs/faults.md (an hour)
	@# One lab, in which an emulated guest and Ansible keep two processors busy; the tasks fail in turn beside it.
	FAULTS_SEEN=docs/faults.json pytest -v -n 2 --durations 0 -m "not small" tests/faults
	$(BIN)/python tools/role_docs.py

test-icehouse: test-tools ## The article's own QEMU, libvirt and OpenStack on Debian 11: built, provisioned twice, migrated with (MIRROR= of their repositories)
	@# Without a mirror they are fetched from the repositories that releases/icehouse.yml names.
	MIRROR=$(MIRROR) pytest -v --durations 0 tests/icehouse

lint: test-tools ## Style, types, Ansible's rules, generated docs up to date
	@# The longest kind first: the others are through before it is.
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-yaml lint-python lint-docs lint-github

lint-%:
	@tests/lint $*

format: test-tools ## Let ruff put Python files in order
	ruff format postcopy_lab analysis contract tests tools collection
	ruff check --fix postcopy_lab analysis contract tests tools collection

docs: tools ## Generate docs/ from argument specs, module documentation, the contract's records and the shipped runs
	$(BIN)/python tools/role_docs.py
	$(BIN)/python tools/schemas.py
	$(BIN)/python tools/answers.py

bench: tools ## Measure the speed figures of the README, with their spread
	$(BIN)/python tests/bench/study_speed.py
	$(BIN)/python tests/bench/analysis_speed.py

bench-analysis: tools ## Measure the analysis alone, on 1,000 and 10,000 runs made of recorded ones
	$(BIN)/python tests/bench/analysis_speed.py

bench-load: tools ## Measure how long studies of 1,000 and 10,000 runs take to plan and to resume
	$(BIN)/python -m tests.bench.load_speed

bench-runs: tools ## Make 200 runs in a row in a lab of their own, and say what grows with them (an hour; resumable)
	$(BIN)/python -m tests.bench.many_runs

bench-integrity: tools ## Count corrupted guests per QEMU version, mode and load (hours; resumable)
	$(BIN)/python tests/bench/integrity.py

destroy: tools ## Remove the local lab: containers, networks, image, state (results stay)
	@postcopy-lab destroy --inventory $(INVENTORY) --images --yes

tools: $(VENV)/.tools ## Put what the kit needs into .venv, from the lock file
test-tools: $(VENV)/.test-tools
	@# The report's page is looked at in Debian's own browser.
	@command -v chromium >/dev/null || { echo "==> Debian's chromium, for the tests of the report's page" \
	  && $(SUDO) apt-get update -qq \
	  && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }

# uv installs the same locked wheels several times faster than pip does; tools/uv.py has it do so from where pip would.
UV := $(BIN)/python tools/uv.py
$(BIN)/uv: requirements-uv.lock
	@echo "==> .venv: Python tools"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; call make PYTHON=python3.11 (or newer)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv; }
	@$(PYTHON) -m venv $(VENV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/.tools: $(BIN)/uv requirements.lock pyproject.toml
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@# uv leaves compiling to the first start. Where Python may not write bytecode, every start would compile all it imports.
	@# These starts compile what is used: 1,800 files, 9 s of CPU time. uv's --compile-bytecode takes 46 s for all 23,000.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import pandas, scipy.stats, analysis.report as r; r.write.plots.load()'
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/postcopy-lab --help >/dev/null
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/ansible-playbook --version >/dev/null
	@touch $@

$(VENV)/.test-tools: $(VENV)/.tools requirements-test.lock
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-test.lock
	@touch $@

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate
lock: tools ## Renew the lock files from pyproject.toml
	$(COMPILE) pyproject.toml --group build --output-file requirements.lock
	$(COMPILE) pyproject.toml --group build --group test --constraint requirements.lock --output-file requirements-test.lock
	$(COMPILE) --group newest-ansible --output-file requirements-newest-ansible.lock
	$(COMPILE) --group installer --output-file requirements-uv.lock

clean: ## Remove .venv and caches (results and the lab stay)
	rm -rf .venv .venv-newest-ansible .cache .mypy_cache .ruff_cache .pytest_cache
