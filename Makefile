# Two commands: `make book` and `make test`. Everything generated lies under _build/ and .venv/.
PROFILE ?= mini
DATASET ?= miniature
SEEDS ?=
DEVICE ?= auto
SPLIT ?=
PRESET ?=
VISUAL ?=
AUDIO ?=
TEACHER ?=
SKIP_BROKEN ?=

# What the graph, and with it every step, is asked for. The dataset travels in the environment: its path may hold any
# character.
export DATASET
ASKED = profile="$(PROFILE)" dataset="$$DATASET" seeds="$(SEEDS)" device="$(DEVICE)" split="$(SPLIT)" preset="$(PRESET)" \
	visual="$(VISUAL)" audio="$(AUDIO)" teacher="$(TEACHER)" skip_broken="$(SKIP_BROKEN)"

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
CORES := $(shell env -u OMP_NUM_THREADS nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
export OMP_NUM_THREADS ?= 1
# glibc returns large blocks to the system and faults them in again at the next step: a fifth of an audio step.
export MALLOC_MMAP_THRESHOLD_ ?= 1073741824
export MALLOC_TRIM_THRESHOLD_ ?= 1073741824
export MALLOC_TOP_PAD_ ?= 67108864
export TQDM_MININTERVAL ?= 2
# Where Python may not write its compiled modules beside their sources, as in many images, each start would compile
# PyTorch and all else again: two to four seconds, hundreds of times.
ifdef PYTHONDONTWRITEBYTECODE
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX ?= $(CURDIR)/_build/bytecode
endif

.PHONY: help book try serve check test test-slow test-browser lab outputs slides students crate study clean lock

help:  ## say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo; echo "Options of book and lab: PROFILE=smoke|mini|paper DATASET=miniature|advance|FOLDER"
	@echo "Options of book: SEEDS=3 DEVICE=cpu|cuda SPLIT=location|given|official|pair PRESET=code SKIP_BROKEN=yes"
	@echo "                 VISUAL=official|imagenet AUDIO=official|mn04 TEACHER=rendered|official|mn04"

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	PATH="$$PATH:$(BIN)" VIRTUAL_ENV=.venv uv pip install --quiet --require-hashes -r requirements.txt
	PATH="$$PATH:$(BIN)" VIRTUAL_ENV=.venv uv pip install --quiet --no-deps --editable .
	@touch $@

book: $(READY)  ## train what is missing and build the book
	@$(BIN)/python workflow/pages.py book --cores $(CORES) $(ASKED)

try: $(READY)  ## fetch ONNX Runtime Web with npm (14 MB kept), so that the page "Try it" recognises
	@$(BIN)/python workflow/runtime.py

serve: $(READY)  ## show the built book at http://127.0.0.1:8000
	@site="$$($(BIN)/python workflow/pages.py site $(ASKED))" && echo "http://127.0.0.1:8000" \
		&& $(BIN)/python -m http.server --bind 127.0.0.1 --directory "$$site" 8000

check: $(READY)  ## style and the fast tests, before every commit: two minutes
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/pytest -n $(CORES) -m 'not slow and not trains' tests

test: $(READY)  ## unit tests, and a smoke build of the book
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/pytest -n $(CORES) --durations=10 -m 'not slow'
	$(MAKE) book PROFILE=smoke DATASET=miniature SEEDS=2

test-slow: $(READY)  ## nbval on the chapters, and unit tests that take long
	TQDM_DISABLE=1 ADVANCE_PROFILE=smoke $(BIN)/pytest --nbval-lax --nbval-current-env -n $(CORES) --dist loadscope book
	$(BIN)/pytest -n $(CORES) -m slow tests

test-browser: $(READY)  ## the pages and slides of the smoke book, and a chapter in JupyterLab, looked at in Chromium
	$(MAKE) slides PROFILE=smoke DATASET=miniature SEEDS=2
	$(BIN)/pytest -n $(CORES) tests/book/browser

lab: $(READY)  ## open the chapters in JupyterLab
	ADVANCE_PROFILE=$(PROFILE) ADVANCE_DATASET="$$($(BIN)/python workflow/pages.py dataset $(ASKED))" $(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/book/dataset.ipynb --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

outputs: $(READY)  ## for authors: renew the outputs that nbval checks
	TQDM_DISABLE=1 ADVANCE_PROFILE=smoke $(BIN)/python workflow/pages.py outputs book/*.ipynb

slides: book  ## three lectures' decks of slides, from the book's pages
	@made="$$($(BIN)/python workflow/pages.py slides $(ASKED))" && echo "The slides: $$made"

crate: book  ## describe the build as a Workflow Run RO-Crate: what ran when, on what, and what came out
	@made="$$($(BIN)/python workflow/pages.py crate $(ASKED))" && echo "The crate: $$made"

students: $(READY)  ## the chapters for students, without solutions
	@made="$$($(BIN)/python workflow/pages.py students)" && echo "For students: $$made"

study: $(READY)  ## renew the reference runs under results/: five seeds of all tables and of what lies inside, presets, α and β; hours
	for study in tables alpha_beta baselines inside after; do \
		$(BIN)/advance study $$study --seeds 5 --profile $(PROFILE) --dataset "$$DATASET" --device $(DEVICE) || exit; done
	$(BIN)/advance study presets --seeds 3 --profile $(PROFILE) --dataset "$$DATASET" --device $(DEVICE)
	$(BIN)/python workflow/pages.py findings

clean:  ## delete everything generated, but not the environment
	rm -rf _build .pytest_cache .ruff_cache .snakemake

lock: $(READY)  ## renew requirements.txt from pyproject.toml
	PATH="$$PATH:$(BIN)" uv pip compile --universal --generate-hashes --no-header --no-annotate pyproject.toml --all-extras --group dev -o requirements.txt
