# `make demo` and `make test` do all set-up by themselves; `make` alone lists the targets.

VENV      := .venv
BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.fringewatch-installed
LOCKS     := requirements/py311.txt requirements/py312.txt requirements/py313.txt

# The interpreter of a new environment: the first of these that runs and has a lock.
PYTHONS ?= python3 python3.13 python3.12 python3.11

.PHONY: help install demo test soak lint bench audit lock

help:
	@echo "make demo     install, then watch a simulated microscope at work"
	@echo "make test     install, then run every check that guards the main branch"
	@echo "make soak     install, then run the acceptance table at its full size (days; SOAK='--rows 1,3')"
	@echo "make lint     install, then run the checks that execute no code"
	@echo "make bench    install, then measure speed and memory"
	@echo "make audit    ask the network which locked packages have known holes; once a month"
	@echo "make install  set up $(VENV) alone"
	@echo "make lock     resolve the dependencies anew (changes requirements/)"

install: $(INSTALLED)

demo: install
	@$(BIN)/fringewatch demo

# By file, as fixtures are shared within one; in their order, as the slow ones come first.
PARTED := --dist loadfile --no-loadscope-reorder

# Three processes on two cores: tests of the daemon wait a third of their time. Each takes one thread,
# or they would get in each other's way: OpenMP's threads spin while they wait, and a first analysis
# then took 14 s in place of 2.
AT_ONCE := $(shell echo $$(( $$(nproc) * 3 / 2 )))
ONE_THREAD := TF_NUM_INTRAOP_THREADS=1 OMP_NUM_THREADS=1

test: lint
	@$(ONE_THREAD) $(BIN)/python -m pytest --numprocesses $(AT_ONCE) $(PARTED)

# Goes on where an earlier call was interrupted; nothing it says is about other code than this.
SOAK ?=

soak: install
	@$(ONE_THREAD) $(BIN)/python -m tests.soak $(SOAK)

lint: install
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: install
	@$(BIN)/python tests/benchmarks/unet.py
	@$(BIN)/python -m tests.benchmarks.surfaces
	@$(BIN)/python -m tests.benchmarks.pipeline

# A package that nobody can say anything about is a failure, so silence never looks like safety.
audit: install
	@for lock in $(LOCKS); do \
	    $(BIN)/uv tool run pip-audit --strict --disable-pip --no-deps --require-hashes -r "$$lock" || exit 1; \
	done

# The environment is complete only once this file exists: an interrupted
# installation is taken up again by the next call.
$(INSTALLED): pyproject.toml $(LOCKS)
	@$(make_environment)
	@$(install_locked)
	@touch $@

# Debian ships `venv` without `ensurepip`; root gets the missing package, anybody else is told.
define make_environment
set -eu; \
test ! -x $(BIN)/pip || exit 0; \
for candidate in $(PYTHONS); do \
    "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || continue; \
    found="$$candidate"; break; \
done; \
if test -z "$${found:-}"; then \
    echo "fringewatch needs Python 3.11, 3.12 or 3.13; none of these is one: $(PYTHONS). Name another: make PYTHONS=/path/to/python" >&2; \
    exit 1; \
fi; \
if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
    package="$$("$$found" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
    if test "$$(id -u)" -ne 0 || ! command -v apt-get >/dev/null; then \
        echo "$$found cannot make an environment. As root: apt-get install $$package" >&2; \
        exit 1; \
    fi; \
    echo "installing $$package: $$found cannot make an environment without it"; \
    apt-get update -qq; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$package"; \
fi; \
echo "$(VENV): $$("$$found" --version)"; \
"$$found" -m venv --clear $(VENV)
endef

# Wheels only and hashes for all: nothing but the locked files is downloaded or run.
# The project itself is built by the locked setuptools.
define install_locked
set -eu; \
lock="requirements/$$($(BIN)/python -c 'import sys; print("py%d%d.txt" % sys.version_info[:2])')"; \
if ! test -f "$$lock"; then \
    echo "$(VENV) holds a Python without a lock ($$lock); delete $(VENV) and call again" >&2; \
    exit 1; \
fi; \
echo "$(VENV): packages of $$lock (a download of about 1 GB, once)"; \
$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps --require-hashes -r "$$lock"; \
$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
$(BIN)/python -m pip check
endef

# One lock for each Python: a universal one silently falls back to TensorFlow 2.20.
# The later Pythons take the versions of the first, so that all compute the same numbers.
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --upgrade \
    --extra simulate --extra dev --generate-hashes --no-emit-index-url \
    --python-platform x86_64-manylinux_2_28 --custom-compile-command "make lock"

lock: install
	$(LOCK) --python-version 3.11 --output-file requirements/py311.txt
	$(LOCK) --python-version 3.12 --constraint requirements/py311.txt --output-file requirements/py312.txt
	$(LOCK) --python-version 3.13 --constraint requirements/py311.txt --output-file requirements/py313.txt
