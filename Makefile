# rpcmemkit: `make help` lists what there is. Only Python 3.10 or newer (with venv and pip) and make are needed.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8000
# `make random N=20000` draws so many calls, `make hostile N=1000000 SEED=2` throws so many inputs.
N      ?= 2000
SEED   ?= 1
# `make book STRICT=1` fails when the stored outputs of a chapter are not what its code gives.
STRICT ?=
# `make book REPOSITORY=https://github.com/OWNER/NAME` adds buttons for Binder, source and issues; LITE=1 is `make lite`.
REPOSITORY ?=
LITE ?=

BIN     = $(VENV)/bin
PY      = $(BIN)/python
SITE    = _build/html
CHAPTERS = $(wildcard book/*.ipynb book/*/*.ipynb)

# Kernels and tools must not depend on who runs them.
export PYTHONHASHSEED = 0
export PYDEVD_DISABLE_FILE_VALIDATION = 1
export JUPYTER_PLATFORM_DIRS = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv book lite wheel test format lint types layers unit random hostile coverage chapters notebooks evidence grammar test-browser links serve bench mutation clean distclean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
	  printf '  make %-12s %s\n' "$$name" "$$what"; done

venv: $(VENV)/.stamp ## the virtual environment with everything that is needed

$(VENV)/.stamp: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -r requirements.txt
	@touch $@

book: venv ## run every chapter and build the site
	$(PY) tools/notebooks.py --into _build/src $(if $(STRICT),--strict)
	$(PY) tools/site_config.py _build/src/_config.yml $(if $(LITE),--lite) --repository "$(REPOSITORY)"
	$(BIN)/jupyter-book build _build/src --path-output . -n -W --keep-going --quiet
	$(if $(LITE),$(PY) -m tools.lite _build/src $(SITE)/lite,rm -rf $(SITE)/lite)
	$(PY) tools/check_site.py $(SITE)
	@echo "The book is ready: open $(CURDIR)/$(SITE)/index.html (or run: make serve)"

lite: ## the book with a Python in the browser beside it, for its launch buttons (the first time needs npm)
	$(MAKE) book LITE=1

wheel: venv ## the library's wheel, and that it works in an empty environment
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation -w dist .
	$(PY) tools/check_wheel.py dist

test: venv lint types layers unit chapters ## everything that must pass before a change goes in
	@echo "All tests passed."

format: venv ## bring the code into the common form
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .

lint: venv ## form and habits of the code, spelling of everything
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(BIN)/codespell book rpcmemkit tools _ext *.md

types: venv ## the types, strictly
	$(PY) -m mypy

layers: venv ## imports only go down
	$(BIN)/lint-imports

unit: venv ## the tests of the library
	$(PY) -m pytest -q -n 2 --dist loadfile

random: venv ## N new random calls, each in three environments, held to every invariant (N=2000)
	$(PY) -m tests.random_calls --cases $(N)

hostile: venv ## N hostile inputs at every door: messages, texts, values, scenarios, threads, outputs (N=2000)
	$(PY) -m tests.hostile --inputs $(N) --seed $(SEED)

coverage: venv ## the same tests, with branch coverage (twice as long)
	$(PY) -m pytest -q -n 2 --dist loadfile --cov --cov-report=term

chapters: venv ## every chapter still gives its stored outputs
	$(PY) -m pytest -q -n 2 --dist loadfile --nbval --nbval-current-env \
	  --nbval-sanitize-with tools/nbval.cfg $(CHAPTERS)

notebooks: venv ## run every chapter and store its outputs; twice changes nothing
	$(PY) tools/notebooks.py

evidence: venv ## write the table claim → evidence from the tests
	$(PY) tools/evidence.py

grammar: venv ## write the parser's tables from the grammar
	$(PY) -m rpcmemkit.idl.grammar

test-browser: book ## click through the built site in Chromium, check accessibility, keep screenshots
	$(PY) -m pip install --quiet -r tests/browser/requirements.txt
	SHOTS=_build/screenshots $(PY) -m pytest -q -n 2 --dist load -m browser tests/browser

links: venv ## do the links to other sites still lead somewhere? (needs a network)
	$(PY) tools/notebooks.py --into _build/src
	$(BIN)/jupyter-book build _build/src --path-output _build/links --builder linkcheck

serve: ## show the built site on this machine
	$(PY) -m http.server --bind 127.0.0.1 --directory $(SITE) $(PORT)

bench: venv ## how fast it is, beside its targets and impacket
	$(PY) benchmarks/run.py

mutation: venv ## break the rules on purpose, and see which tests notice (takes long)
	$(PY) -m pip install --quiet mutmut==3.8.1
	$(BIN)/mutmut run
	$(BIN)/mutmut results

clean: ## remove what the build made
	rm -rf _build mutants .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage .coverage.* htmlcov
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## and the virtual environment
	rm -rf $(VENV) dist
