# Everything a fresh machine needs is a prerequisite of a target: `make demo` and `make test` set up themselves.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
APT := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get
BIN := .venv/bin
# What records the inputs of benches, and a soak test of ten minutes, are run by hand.
BENCHES := $(filter-out record_% %_soak,$(notdir $(basename $(wildcard experiments/bench/[a-z]*.py))))

# Threads that spin for long starve the provers they share the cores with (see ntp/run.py).
export OMP_WAIT_POLICY ?= passive
export GOMP_SPINCOUNT ?= 1000

# A REPL works with projects of its own toolchain only; its repository has a tag for each.
LEAN_DIR ?= .lean
REPL_TAG ?= v4.28.0
REPL_URL ?= https://github.com/leanprover-community/repl
ELAN_URL ?= https://elan.lean-lang.org/elan-init.sh
LEAN_REPL = $(abspath $(LEAN_DIR))/repl/.lake/build/bin/repl
export PATH := $(PATH):$(HOME)/.elan/bin

PROVERS = coq-8.20 rocq-9.2

.DEFAULT_GOAL := help
.PHONY: help setup demo test docs lint type format bench lean provers clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

setup: .venv/.installed coq bubblewrap ## Install Coq and the Python environment in .venv

demo: setup ## Learn from the Coq library, tune with trajectory balance, prove held-out theorems
	$(BIN)/python -m ntp.run +experiment=demo resume=true

# Three processes on two cores: tests of clusters and of what hangs wait much. Files are taken in the order of
# tests/conftest.py.
test: setup slurm hammer editors libraries other-provers ## Run every test, with the real Coq and, where they can be installed, SLURM and other Coqs
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=25

docs: .venv/.installed ## Write the generated pages of docs/: the configuration reference and the experiments
	$(BIN)/python -m ntp.config.reference docs

lint: .venv/.installed ## Check style, formatting and the direction of imports
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

type: .venv/.installed ## Check types
	$(BIN)/pyright

format: .venv/.installed ## Rewrite the code in the house style
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup ## Measure every ratio in experiments/bench
	@set -e; for name in $(BENCHES); do $(BIN)/python experiments/bench/$$name.py | tail -n 1; done

lean: $(LEAN_REPL) ## Install Lean 4 (elan) and build the REPL, for env=lean_repl; needs the network
	@echo "Lean is ready. In a project of the same toolchain ($$(cat $(LEAN_DIR)/repl/lean-toolchain)):"
	@echo "  python -m ntp.run ... env=lean_repl env.project=/path/to/project 'env.command=[lake,env,$(LEAN_REPL)]'"
	@echo "For another toolchain: make lean LEAN_DIR=.lean/v4.21.0 REPL_TAG=v4.21.0"

provers: $(PROVERS:%=.provers/%/.version) ## Build root file systems with Coq 8.20 and Rocq 9, for env.sysroot=.provers/...

clean: ## Remove run outputs and caches, keep the environment
	find outputs -mindepth 1 ! -name .gitkeep -delete
	rm -rf .pytest_cache .ruff_cache .import_linter_cache

.PHONY: coq
coq:
	@command -v coqidetop.opt > /dev/null || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends coq; } \
	  || { echo "Coq is missing and could not be installed; run: sudo apt-get install coq" >&2; exit 1; }

# For tests only, so what cannot be installed is no failure: they skip and say why. A SLURM that is there is left alone.
.PHONY: slurm
slurm:
	@command -v sbatch > /dev/null \
	  || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends slurm-wlm munge; } \
	  || echo "SLURM could not be installed, its tests will be skipped; run: sudo apt-get install slurm-wlm munge" >&2

.PHONY: hammer
hammer: coq
	@[ -d "$$(coqc -where)/user-contrib/Hammer" ] && command -v eprover > /dev/null && command -v cvc4 > /dev/null \
	  || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends libcoq-hammer eprover cvc4; } \
	  || echo "CoqHammer could not be installed, its tests will be skipped; run: sudo apt-get install libcoq-hammer eprover cvc4" >&2

.PHONY: editors
editors:
	@command -v chromium > /dev/null && command -v nvim > /dev/null && emacs --batch --eval "(progn (package-initialize) (require 'eglot))" > /dev/null 2>&1 \
	  || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends chromium neovim emacs-nox elpa-eglot; } \
	  || echo "tests of editors and of the page will be skipped; run: sudo apt-get install chromium neovim emacs-nox elpa-eglot" >&2

.PHONY: libraries
libraries: coq
	@[ -d "$$(coqc -where)/user-contrib/Coquelicot" ] \
	  || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends libcoq-coquelicot; } \
	  || echo "Coquelicot could not be installed, its tests will be skipped; run: sudo apt-get install libcoq-coquelicot" >&2

# Debian releases, each with another Coq: trixie with 8.20, sid with the newest. An interrupted build is begun again,
# since the file with the version is the last thing that is made.
.provers/coq-8.20/.version: SUITE = trixie
.provers/rocq-9.2/.version: SUITE = sid
.provers/%/.version:
	@[ "$$(id -u)" = 0 ] || command -v sudo > /dev/null || { echo "make provers needs root or sudo" >&2; exit 1; }
	@command -v debootstrap > /dev/null || PATH="$$PATH:/usr/sbin" command -v debootstrap > /dev/null \
	  || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends debootstrap; } \
	  || { echo "debootstrap is missing; run: sudo apt-get install debootstrap" >&2; exit 1; }
	@$(SUDO) rm -rf .provers/$* && mkdir -p .provers && echo "building .provers/$* from Debian $(SUITE), about two minutes"
	@PATH="$$PATH:/usr/sbin" $(SUDO) debootstrap --variant=minbase $(SUITE) .provers/$* > .provers/$*.log 2>&1 \
	  && $(SUDO) chroot .provers/$* env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends coq libcoq-stdlib >> .provers/$*.log 2>&1 \
	  && $(SUDO) rm -rf .provers/$*/var/cache/apt .provers/$*/var/lib/apt/lists .provers/$*/usr/share/doc \
	  || { tail -n 3 .provers/$*.log; echo ".provers/$* could not be built; see .provers/$*.log" >&2; exit 1; }
	@$(SUDO) chroot .provers/$* sh -c 'coqc --version > /.version' && cat $@

# For tests, so what cannot be built is no failure: they skip and say why.
.PHONY: other-provers
other-provers:
	@$(MAKE) -s provers || echo "other versions of Coq will not be tested; run: sudo make provers" >&2

.PHONY: bubblewrap
bubblewrap:
	@command -v bwrap > /dev/null || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends bubblewrap; } \
	  || echo "no bubblewrap: provers will be kept apart less well; run: sudo apt-get install bubblewrap" >&2

# Debian ships Python without ensurepip; everything else comes from the lock file.
.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2> /dev/null \
	  || { echo "ntp needs Python 3.11 or newer; run: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null \
	  || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends python3-venv; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

# An interrupted build is begun again, since the target is the last thing that is made.
$(LEAN_REPL):
	@command -v git curl > /dev/null || { echo "git and curl are missing; run: sudo apt-get install git curl" >&2; exit 1; }
	@command -v lake > /dev/null \
	  || { curl -sSfL --max-time 120 $(ELAN_URL) -o $${TMPDIR:-/tmp}/elan-init.$$$$.sh \
	       && sh $${TMPDIR:-/tmp}/elan-init.$$$$.sh -y --default-toolchain none; } \
	  || { echo "Lean could not be installed from $(ELAN_URL): is there a network?" >&2; exit 1; }
	@rm -rf $(LEAN_DIR)/repl
	@git clone -q --depth 1 --branch $(REPL_TAG) $(REPL_URL) $(LEAN_DIR)/repl \
	  || { echo "$(REPL_URL) has no tag $(REPL_TAG), or there is no network" >&2; exit 1; }
	@cd $(LEAN_DIR)/repl && lake build repl \
	  || { echo "the REPL did not build in $(LEAN_DIR)/repl; its output is above" >&2; exit 1; }
