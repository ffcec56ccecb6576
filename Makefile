# The commands of this project. `make setup` first; each target shows what it runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test check bench bench-runs docs notebooks gallery tutorials release clean

setup: $(BIN)/parsimony          ## a virtual environment with everything for development

$(BIN)/parsimony: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# Of 17,000 modules, Python compiles those that are imported when they are.
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup                      ## the main job on embedded data; writes runs/demo/report.html
	$(BIN)/parsimony demo

test: setup                      ## the test-suite
	$(BIN)/python -m pytest -q -n auto --dist worksteal --durations=20

check: setup                     ## style, types, public API
	$(BIN)/ruff check src tests examples benchmarks scripts
	$(BIN)/ruff format --check src/parsimony/cli examples
	$(BIN)/mypy

bench: setup                     ## speed, as ratios measured in one run
	$(BIN)/python benchmarks/step.py wn18rr
	$(BIN)/python benchmarks/step.py umls
	$(BIN)/python benchmarks/step.py family
	$(BIN)/python benchmarks/edges.py
	$(BIN)/python benchmarks/collapse.py
	$(BIN)/python benchmarks/growth.py

bench-runs: setup                ## the long runs of benchmarks/runs.toml that have no result yet
	$(BIN)/python benchmarks/run_all.py

docs: setup                      ## the site of docs/, to be read offline: docs/_build/html/index.html
	$(BIN)/python scripts/results_page.py
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

notebooks: setup                 ## run the notebooks of docs/ and keep what they show
	$(BIN)/python scripts/run_notebooks.py

gallery: setup                   ## draw the pictures and cards of docs/ from the embedded data
	$(BIN)/python scripts/gallery.py

tutorials: setup                 ## every tutorial, notebook and page of code as it stands; minutes
	PARSIMONY_TUTORIALS=1 $(BIN)/python -m pytest -q tests/test_site.py tests/test_docs.py \
		tests/link/test_interchange.py

release: setup                   ## the wheel and the source archive, checked
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python scripts/check_wheel.py dist

clean:                           ## what the targets made, not your runs
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache
