# Each target sets up what it needs in .venv and nothing more. PYTHON must be 3.11 or newer.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What is imported is compiled when it first is: a fraction of what pip would compile, in minutes.
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
unexport PYTHONDONTWRITEBYTECODE
# Two processes share the tests; one thread each, so that they do not fight over the cores.
WORKERS ?= 2
AFINA_HOME ?= ./afina-home

# Ratios against stock libraries and counts, within 20 minutes on two cores …
BENCH := lora_against_trl memory_against_trl classify_against_trainer frozen_bottom shared_prefix \
         quantised growth start h200
# … and whole trainings on real data, about two hours on two cores.
BENCH_TASKS := names_spanish dpo_gsm8k grpo_toy methods_banking77 distill_banking77 sweep_cost \
               banking77_time_to_score

.PHONY: setup check test test-slow bench bench-tasks demo docs clean
.DEFAULT_GOAL := setup

setup: $(VENV)/afina  ## Afina in .venv

$(VENV)/python: constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; ok = v >= (3, 11); \
	  ok or print(f"Python 3.11 or newer is needed; this is {v[0]}.{v[1]}. Try: make PYTHON=python3.11 …"); \
	  sys.exit(not ok)'
	$(PYTHON) -m venv $(VENV)
	@echo "PyTorch (once; a minute or two) …"
	$(PIP) torch
	@touch $@

# PyTorch comes first and pinned, so that no package below brings another build of it.
$(VENV)/afina: $(VENV)/python pyproject.toml
	@echo "Afina and what it needs …"
	$(PIP) -e .
	@touch $@

$(VENV)/example: $(VENV)/python pyproject.toml
	@echo "Afina and what the example needs …"
	$(PIP) -e '.[example]'
	@touch $(VENV)/afina $@

$(VENV)/dev: $(VENV)/python pyproject.toml
	@echo "Afina and what the tests need …"
	$(PIP) -e '.[dev]'
	@touch $(VENV)/afina $@

demo: $(VENV)/example  ## the main job on a real example, from sampling to the report
	$(BIN)/python examples/hogar/sample.py --home "$(AFINA_HOME)"
	$(BIN)/afina --home "$(AFINA_HOME)" run examples/hogar/recipe.yaml

check: $(VENV)/dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(VENV)/dev  ## the tests that take minutes, not hours
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS)

test-slow: $(VENV)/dev  ## real base models and long trials
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/dev  ## ratios against stock libraries; leaves JSON in benchmarks/results
	set -e; for name in $(BENCH); do echo "$$name"; $(BIN)/python benchmarks/$$name.py; done

bench-tasks: $(VENV)/dev  ## what whole trainings reach on real data; leaves JSON there too
	set -e; for name in $(BENCH_TASKS); do echo "$$name"; $(BIN)/python benchmarks/$$name.py; done
	$(BIN)/python benchmarks/methods_banking77.py --ablation

docs: $(VENV)/afina  ## docs/recipe.md, docs/cli.md and the tested versions, from the code
	$(BIN)/python docs/generate.py

clean:  ## the environment and the caches; never the home folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
