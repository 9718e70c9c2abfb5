# Every target makes its own virtual environment in .venv first, once, and again when pyproject.toml changes.
# Without make: the README has the pip lines that do the same.
#
#   make demo ARGS="--data iris"      make test ARGS="-k softmax"      make bench ARGS="--against torch"

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check
ARGS :=
WORKERS := auto
STARTED = $$(date +%H:%M:%S)

# $(call test_with,backends,options): all of them run, even if one fails. What does not depend on the kernels
# (ONCE in tests/conftest.py) runs with the first only.
define test_with
result=0; kernels=''; \
for backend in $(1); do \
  echo "==> $(STARTED) tests with --backend $$backend $$kernels $(2)"; \
  $(PYTHON) -m pytest --backend $$backend -n $(WORKERS) $$kernels $(2) $(ARGS) || result=1; \
  kernels=--kernels-only; \
done; exit $$result
endef

.PHONY: help demo test test-long bench notebooks lab lint format typecheck docs clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       train a small CNN on real handwritten digits, under a minute; pictures in demo-runs/"
	@echo "make test       the tests, with the numba kernels and again with their NumPy twins"
	@echo "make test-long  the same with the long tests, and with the automatic choice of kernels"
	@echo "make bench      kernels against their NumPy twins, and against torch where it is installed"
	@echo "make lab        open the course in JupyterLab; 'make notebooks' runs it whole, with ARGS=14 one chapter"
	@echo "make lint       ruff; 'make format' lays files out, 'make typecheck' runs mypy on the built wheel"
	@echo "make docs       the site, with the reference of every public name: build/site/index.html"
	@echo "make clean      remove .venv and what was built"

demo: $(VENV)/.for-use
	@$(VENV)/bin/minigrad demo $(ARGS)

test: $(VENV)/.for-development
	@$(call test_with,numba numpy,)

test-long: $(VENV)/.for-development
	@$(call test_with,numba numpy auto,--long)

bench: $(VENV)/.for-use
	@mkdir -p bench-results
	@$(PYTHON) -m bench --save bench-results/last.json --plot bench-results/last.png $(ARGS)

notebooks: $(VENV)/.for-course
	@$(PYTHON) notebooks/build.py run $(ARGS)

lab: $(VENV)/.for-course
	@cd notebooks && ../$(VENV)/bin/jupyter lab $(ARGS) 00_index.ipynb

lint: $(VENV)/.for-development
	@$(PYTHON) -m ruff check $(ARGS)
	@$(PYTHON) -m ruff format --check --quiet || { echo "make format lays the files out"; exit 1; }

format: $(VENV)/.for-development
	@$(PYTHON) -m ruff format

# Editors and mypy do not follow the mapped packages of an editable install, so the wheel is what is checked.
typecheck: $(VENV)/.for-development
	@rm -rf build && mkdir -p build/typecheck
	@$(PYTHON) -m build --wheel --no-isolation --outdir build/typecheck . > build/typecheck/log 2>&1 \
	  || { cat build/typecheck/log; exit 1; }
	@$(PYTHON) -m zipfile -e build/typecheck/*.whl build/typecheck/wheel
	@cd build/typecheck/wheel && ../../../$(PYTHON) -m mypy --config-file ../../../pyproject.toml -p minigrad

# -W: a warning is an error; -E: nothing is taken over from the build before.
docs: $(VENV)/.for-docs
	@$(PYTHON) -m sphinx -q -W --keep-going -E -j auto -b html -d build/doctrees docs build/site $(ARGS)
	@echo "build/site/index.html"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/.for-use: pyproject.toml | $(PYTHON)
	@echo "==> $(STARTED) installing minigrad, its dependencies and matplotlib into $(VENV) (once; about a minute)"
	@$(PIP) install --editable '.[plots]'
	@touch $@

$(VENV)/.for-course: pyproject.toml | $(PYTHON)
	@echo "==> $(STARTED) installing minigrad and JupyterLab into $(VENV) (once; about a minute)"
	@$(PIP) install --editable '.[course]'
	@touch $@ $(VENV)/.for-use

$(VENV)/.for-development: pyproject.toml | $(PYTHON)
	@echo "==> $(STARTED) installing minigrad with what its tests need into $(VENV) (once; about a minute)"
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.for-use

$(VENV)/.for-docs: pyproject.toml | $(PYTHON)
	@echo "==> $(STARTED) installing minigrad with what the site is made with into $(VENV) (once)"
	@$(PIP) install --editable '.[docs]'
	@touch $@ $(VENV)/.for-use

# The first interpreter that is new enough and can make a virtual environment (Debian ships python3 without it).
$(PYTHON):
	@for python in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	  $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	    2> /dev/null && break; \
	  python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "no Python 3.10 to 3.13 that can make a virtual environment was found on the PATH" \
	    "(on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; \
	fi; \
	echo "==> $(STARTED) making a virtual environment in $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)
