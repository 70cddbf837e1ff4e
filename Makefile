# `make demo` on a bare machine with Python 3.11+ and make: sets up, indexes data/sample, data/office and some photos, and searches them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LIGHT := $(VENV)/.light
WHOLE := $(VENV)/.whole
DEMO := .demo
TOPICS := astronomy,food and drink,history,computing,sport,medicine
DATA := $(or $(QUARRY_TEST_DATA),$(wildcard ../shared/data))

# The checkout itself on the path rather than an import hook, which every start would pay for.
EDITABLE := --config-settings editable_mode=compat

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Each of the many processes that tests start would compile Quarry anew.
unexport PYTHONDONTWRITEBYTECODE
ifneq ($(DATA),)
export QUARRY_TEST_DATA = $(abspath $(DATA))
endif

.PHONY: setup demo test retest coverage torture lint bench docs screenshots audit clean

setup: $(WHOLE)

# What the embedded models need, and the photos to show them with. (Most of what is installed is never imported: what
# is, Python compiles then.)
$(LIGHT): EXTRA := demo
# All else: any other model (which brings PyTorch: some minutes), and what checks need.
$(WHOLE): EXTRA := dev

$(LIGHT) $(WHOLE): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Quarry needs Python 3.11 or newer; say which with make PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing quarry-search[$(EXTRA)]..."
	$(BIN)/python -m pip install --quiet --no-compile $(EDITABLE) --editable '.[$(EXTRA)]'
	$(BIN)/python -m compileall -q quarry search indexer api
	$(BIN)/quarry models --prepare
	@touch $@ $(LIGHT)

demo: $(LIGHT)
	@$(BIN)/python -m quarry.data.photos $(DEMO)-photos
	@$(BIN)/quarry index --library $(DEMO) --cross-lingual data/sample data/office data/sound $(DEMO)-photos
	@for query in "how do stars form" "why does coffee keep people awake" "김치 발효" "별은 어떻게 만들어지나" \
		"did night ferries carry more cars" "열람실은 몇 시까지 여나" "when is the lighthouse dark" "who sleeps on the window all day"; do \
		printf '\n\033[1m$$ quarry search "%s"\033[0m\n' "$$query"; \
		$(BIN)/quarry search --library $(DEMO) --limit 3 "$$query" || exit 1; \
	done
	@for query in "when was the Panama Canal opened" "한라산의 높이는 얼마인가" "비아 아피아는 언제 만들어지기 시작했나" "who won the marathon in 2012"; do \
		printf '\n\033[1m$$ quarry ask "%s"\033[0m\n' "$$query"; \
		$(BIN)/quarry ask --library $(DEMO) --limit 3 "$$query" || exit 1; \
	done
	@printf '\n\033[1m$$ quarry label --labels "%s" --as topic\033[0m\n' "$(TOPICS)"
	@$(BIN)/quarry label --library $(DEMO) --labels "$(TOPICS)" --as topic
	@printf '\n\033[1m$$ quarry search --filter topic=sport --facet topic "who won"\033[0m\n'
	@$(BIN)/quarry search --library $(DEMO) --limit 1 --filter topic=sport --facet topic "who won"
	@for query in "a cat" "a cup of coffee" "a rocket launch" "커피 한 잔"; do \
		printf '\n\033[1m$$ quarry images --boxes "%s"\033[0m\n' "$$query"; \
		$(BIN)/quarry images --library $(DEMO) --limit 2 --boxes "$$query" || exit 1; \
	done
	@$(BIN)/quarry images --library $(DEMO) --limit 4 --boxes --sheet $(DEMO)-photos.png "a building with a tower" >/dev/null

test: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# What failed in the last run, by itself.
retest:
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

# The tests, and how much of the code they run; less than `fail_under` in pyproject.toml fails.
coverage: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --cov --cov-report term

# Kills, failing disks, flipped bits, readers and a model, for DURATION seconds; SEED repeats what failed.
torture: setup
	$(BIN)/python -m tests.torture --seconds $(or $(DURATION),300) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.fuzz --seconds $$(($(or $(DURATION),300) / 10)) $(if $(SEED),--seed $(SEED))

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.module_length

bench: setup
	$(BIN)/python -m pip install --quiet $(EDITABLE) --editable '.[bench]'
	$(BIN)/python -m benchmarks

docs: setup
	$(BIN)/python -m tests.reference --write

# The pictures of the page in the README.
screenshots: setup
	$(BIN)/python -m tests.screenshots

# Known vulnerabilities of what is installed. Needs the network, and an environment of its own, lest it be audited, too.
audit: setup
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet pip-audit
	$(BIN)/python -m pip freeze --exclude-editable | grep == > build/audit/installed.txt
	build/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement build/audit/installed.txt

clean:
	rm -rf $(DEMO) $(DEMO)-photos $(DEMO)-photos.png build dist *.egg-info
