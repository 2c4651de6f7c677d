# make demo   sets up what is needed and shows uvgrpc at work
# make test   sets up what is needed and runs every check that CI runs
#
# The first of them builds gRPC's core once for this user (about 10 min on two
# cores, kept in ~/.cache/uvgrpc); `make test` builds a second, sanitized core.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
# Another interpreter has an environment of its own: PYTHON=python3.13 makes .venv-test-3.13.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d%s" % (*sys.version_info[:2], sys.abiflags))' 2>/dev/null)
DEMO := .venv-demo
TEST := .venv-test$(if $(filter-out python3,$(PYTHON)),-$(PYTHON_VERSION))
REQUIREMENTS := third_party/requirements.txt
SIBLINGS := third_party/siblings.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
CXX_FILES = $$(find src tests examples bench/peers -name '*.h' -o -name '*.cc')

say = @printf '\n== %s\n' "$(1)"

.PHONY: help
help:
	@echo "make demo          build, install into $(DEMO), run examples/helloworld/demo.py"
	@echo "make test          lint, the site, C++ tests (plain, ASan+UBSan), Python tests"
	@echo "make tsan          C++ tests under ThreadSanitizer"
	@echo "make test-asan-python  tests of calls' lives on an extension under ASan+UBSan"
	@echo "make faults        10,000 faults under the engine, with AddressSanitizer"
	@echo "make model         random sequences on the engine against a model, 10 minutes, with AddressSanitizer"
	@echo "make machine       random lives of channels, calls, forks and loops, by Hypothesis"
	@echo "make fuzz          libFuzzer on our parsers, 10 minutes"
	@echo "make h2spec        HTTP/2 conformance beside grpc.aio's (needs Go)"
	@echo "make hostile       attacks, and what a well-behaved client feels of them"
	@echo "make overload      a server at twice its capacity, with a limit and without"
	@echo "make soak          MINUTES=30 of 200 clients, every reply checked"
	@echo "make oracle        the compat suite on grpc.aio as it is"
	@echo "make bench         the benchmarks in bench/"
	@echo "make programs      real programs on uvgrpc and on grpc.aio as it is (docs/programs.md)"
	@echo "make profile       trains the core for this compiler and keeps the profile (cmake/core/profiles)"
	@echo "make docs          the site, in build/site, with warnings as errors"
	@echo "make test-python PYTHON=python3.13  the Python tests on another interpreter; make pythons: on all of PYTHONS"
	@echo "make dev           an environment, .venv-dev, that builds what has changed when uvgrpc is imported"
	@echo "make wheels        wheels for distributions, checked and tried out (docs/releasing.md); make check-macos: compiles for macOS"
	@echo "make release       what a release needs: version, changelog, tag, docs, builds"
	@echo "make newer-grpcio  what moves with a newer grpcio (third_party/newer.cmake; VERSION=... another): sources, patches, experiments, API"
	@echo "make lint format   check the style; bring it about"
	@echo "make requirements  make third_party/*.txt from their *.in"
	@echo "make clean         remove build/ and .venv-*; the core cache stays"

.PHONY: demo
demo:
	@echo "make demo: 10 to 15 min the first time on two cores, most of it gRPC's core; 1 min later"
	@cmake/prerequisites.sh
	@$(MAKE) --no-print-directory $(DEMO)/.ready
	$(call install,$(DEMO),OFF)
	$(call say,Demo)
	@$(DEMO)/bin/python examples/helloworld/demo.py

.PHONY: test
test:
	@echo "make test: 25 to 35 min the first time on two cores, most of it gRPC's core, plain and sanitized; 9 to 12 min later"
	@cmake/prerequisites.sh test
	@$(MAKE) --no-print-directory lint docs test-cpp test-asan test-python
	@$(MAKE) --no-print-directory test-asan-python ASAN_TESTS='$(ASAN_SHORT)'
	$(call say,make test: everything passed)

# $(call install,VENV,WERROR): the core first, because pip would hide its progress.
define install
	$(call say,gRPC core)
	@PATH="$(CURDIR)/$(1)/bin:$$PATH" cmake -DPython3_EXECUTABLE="$(CURDIR)/$(1)/bin/python" -P cmake/build_core.cmake
	$(call say,Package uvgrpc)
	@mkdir -p build
	@UVGRPC_WERROR=$(2) $(1)/bin/pip install --verbose --no-build-isolation --no-deps --force-reinstall . 2>&1 \
	  | tee build/pip-install.log | grep --line-buffered -E '^ *\[[0-9]+/[0-9]+\]|^ *Successfully' \
	  || { tail -n 60 build/pip-install.log; exit 1; }
endef

# The tests also need the packages that stand on grpc.aio.
$(TEST)/.ready: $(SIBLINGS)

.venv-%/.ready: $(REQUIREMENTS)
	$(call say,Virtual environment .venv-$*)
	@$(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/pip install --quiet --require-hashes --only-binary :all: $(addprefix -r ,$(filter %.txt,$^))
	@touch $@

.PHONY: venv
venv: $(TEST)/.ready

.PHONY: lint
lint: venv
	$(call say,Lint)
	@$(TEST)/bin/clang-format --dry-run -Werror $(CXX_FILES)
	@$(TEST)/bin/ruff check
	@$(TEST)/bin/ruff format --check
	@$(TEST)/bin/mypy

.PHONY: format
format: venv
	@$(TEST)/bin/clang-format -i $(CXX_FILES)
	@$(TEST)/bin/ruff check --fix
	@$(TEST)/bin/ruff format

# $(call preset,NAME): configure, build and run the C++ tests of a preset.
define preset
	$(call say,C++ tests: $(1))
	@cmake --preset $(1) -DPython3_EXECUTABLE="$(CURDIR)/$(TEST)/bin/python"
	@cmake --build --preset $(1)
	@ctest --preset $(1)
endef

.PHONY: test-cpp test-asan tsan
test-cpp: venv
	$(call preset,dev)

test-asan: venv
	$(call preset,asan)

tsan: venv
	$(call preset,tsan)

# $(call sanitized,TARGET): a program of the C++ tests with sanitizers.
define sanitized
	@cmake --preset asan -DPython3_EXECUTABLE="$(CURDIR)/$(TEST)/bin/python"
	@cmake --build --preset asan --target $(1)
endef

# Not in `make test`, which injects a few hundred. FIRST: the seed to begin with.
FAULTS ?= 10000
FIRST ?= 1

.PHONY: faults
faults: venv
	$(call say,Faults under the engine: $(FAULTS))
	$(call sanitized,uvgrpc_faults)
	@build/asan/tests/cpp/uvgrpc_faults --faults $(FAULTS) --first $(FIRST)

# Not in `make test`, which does so for 8 seconds. SEED: the first.
MODEL_SECONDS ?= 600
SEED ?= 1

.PHONY: model
model: venv
	$(call say,Random sequences against the model: $(MODEL_SECONDS) s)
	$(call sanitized,uvgrpc_conformance)
	@UVGRPC_MODEL_SECONDS=$(MODEL_SECONDS) UVGRPC_MODEL_SEED=$(SEED) build/asan/tests/cpp/uvgrpc_conformance \
	  --gtest_filter=Model.*

# New sequences every time.
MACHINE_EXAMPLES ?= 500

.PHONY: machine
machine: venv
	$(call install,$(TEST),ON)
	$(call say,Hypothesis on channels, calls, forks and loops: $(MACHINE_EXAMPLES) sequences)
	@UVGRPC_MACHINE_EXAMPLES=$(MACHINE_EXAMPLES) $(TEST)/bin/pytest tests/python/test_machine.py

# Needs clang with its libFuzzer.
FUZZ_SECONDS ?= 600

.PHONY: fuzz
fuzz: venv
	$(call say,libFuzzer on the parsers: $(FUZZ_SECONDS) s)
	@cmake --preset dev -DPython3_EXECUTABLE="$(CURDIR)/$(TEST)/bin/python"
	@cmake --build --preset dev --target uvgrpc_fuzz
	@mkdir -p build/fuzz
	@build/dev/tests/cpp/uvgrpc_fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=300 -print_final_stats=1 \
	  build/fuzz tests/cpp/fuzz/corpus

# The tests of calls' lives on a sanitized extension; `make test` takes the first of them.
ASAN := build/asan
ASAN_SHORT := $(addprefix tests/python/test_,call_fuzz.py dying_calls.py last_writes.py inproc.py)
ASAN_TESTS := $(ASAN_SHORT) $(addprefix tests/python/test_,call_lives.py call_stress.py loops_and_threads.py \
  thread_mistakes.py waiting.py filters_fuzz.py sockets.py socket_channels.py server_stop.py own_messages.py)

.PHONY: test-asan-python
test-asan-python: venv
	$(call say,Python tests: AddressSanitizer and UndefinedBehaviorSanitizer)
	@PATH="$(CURDIR)/$(TEST)/bin:$$PATH" cmake --preset asan -DUVGRPC_EXTENSION=ON \
	  -DPython3_EXECUTABLE="$(CURDIR)/$(TEST)/bin/python"
	@PATH="$(CURDIR)/$(TEST)/bin:$$PATH" cmake --build $(ASAN) --target _core
	@rm -rf $(ASAN)/package && mkdir $(ASAN)/package && cp -r python/uvgrpc $(ASAN)/package
	@cp $(ASAN)/src/bindings/_core*.so $(ASAN)/package/uvgrpc
	@LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0 PYTHONPATH="$(CURDIR)/$(ASAN)/package" $(TEST)/bin/python -m pytest $(ASAN_TESTS) \
	  --deselect tests/python/test_inproc.py::test_many_channels_leave_nothing  # ASan keeps what is freed

# The oldest grpcio that pyproject.toml allows, put before the one of $(TEST); newer Pythons have
# wheels of newer ones only.
OLDEST := build/oldest-grpcio-$(PYTHON_VERSION)
OLDEST_PIN := $(or $(wildcard third_party/oldest-$(PYTHON_VERSION).txt),third_party/oldest.txt)

$(OLDEST)/.ready: $(OLDEST_PIN) $(TEST)/.ready
	@rm -rf $(OLDEST)
	@$(TEST)/bin/pip install --quiet --require-hashes --only-binary :all: --no-deps --target $(OLDEST) -r $(OLDEST_PIN)
	@touch $@

.PHONY: test-python
test-python: venv $(OLDEST)/.ready
	$(call install,$(TEST),ON)
	$(call say,Python tests)
	@$(TEST)/bin/pytest --numprocesses 3 --dist worksteal -m 'not alone'
	$(call say,Python tests: those that need the machine for themselves)
	@$(TEST)/bin/pytest -m alone
	$(call say,Compat suite on uvgrpc with the oldest grpcio)
	@PYTHONPATH=$(CURDIR)/$(OLDEST) $(TEST)/bin/pytest tests/compat/test_signatures.py tests/compat/test_names.py \
	  tests/compat/test_calls.py tests/compat/test_server.py tests/python/test_install.py \
	  tests/python/test_credentials_recorder.py tests/python/test_credentials_tls.py

# Not in `make test`: what it finds may be a race of grpc.aio's.
.PHONY: oracle
oracle: venv
	$(call install,$(TEST),ON)
	$(call say,Compat suite on grpc.aio as it is)
	@UVGRPC_TEST_BACKEND=stock $(TEST)/bin/pytest tests/compat

# Conformance to HTTP/2, beside stock's. H2SPEC=--tls does it over TLS.
.PHONY: h2spec
h2spec: venv
	$(call install,$(TEST),ON)
	$(call say,h2spec)
	@$(TEST)/bin/python tests/h2spec/compare.py $(H2SPEC)

# As in tests/python/test_hostile_http2.py, with figures. ATTACKS='--seconds 5 "ping flood"' chooses.
.PHONY: hostile
hostile: venv
	$(call install,$(TEST),ON)
	$(call say,Attacks)
	@PYTHONPATH=tests/python $(TEST)/bin/python -m hostile $(ATTACKS)

MINUTES ?= 30

.PHONY: soak
soak: venv
	$(call install,$(TEST),ON)
	$(call say,Soak)
	@$(TEST)/bin/python bench/scenarios/soak/long.py --minutes $(MINUTES) --plot build/soak.svg

.PHONY: overload
overload: venv
	$(call install,$(TEST),ON)
	$(call say,Overload)
	@PYTHONPATH=tests/python $(TEST)/bin/python -m hostile.overload

# A core that counts, what the benchmark makes it count, and the result in the tree.
PROFILE := build/profile
TRAINING := unary_server unary_server_1000x1 unary_client_real server_streaming server_streaming_client_real \
  bidi_pingpong_real bidi_pingpong_client_real bidi_flood client_streaming latency_real latency_client_real tls_unary \
  large_messages large_messages_client metadata

.PHONY: profile
profile: venv
	$(call say,Profile: a core that counts)
	@rm -rf $(PROFILE) && mkdir -p $(PROFILE)/package
	@PATH="$(CURDIR)/$(TEST)/bin:$$PATH" cmake -S . -B $(PROFILE)/ext -G Ninja -DCMAKE_BUILD_TYPE=Release \
	  -DUVGRPC_PROFILE=generate -DUVGRPC_PROFILE_DIR="$(CURDIR)/$(PROFILE)/data" -DUVGRPC_TESTS=OFF \
	  -DPython3_EXECUTABLE="$(CURDIR)/$(TEST)/bin/python"
	@PATH="$(CURDIR)/$(TEST)/bin:$$PATH" cmake --build $(PROFILE)/ext --target _core
	@cp -r python/uvgrpc $(PROFILE)/package && cp $(PROFILE)/ext/src/bindings/_core*.so $(PROFILE)/package/uvgrpc
	$(call say,Profile: training)
	@PYTHONPATH="$(CURDIR)/$(PROFILE)/package" $(TEST)/bin/python bench/run.py $(TRAINING) --peers uvgrpc --rounds 1 --seconds 2
	@$(TEST)/bin/python cmake/core/profile.py $(PROFILE)/data

.PHONY: bench
bench: venv
	$(call install,$(TEST),ON)
	@$(TEST)/bin/python bench/run.py

# An environment of its own: one of the programs takes no protobuf 7.
PROGRAMS := .venv-programs

$(PROGRAMS)/.ready: third_party/programs.txt
	$(call say,Virtual environment $(PROGRAMS))
	@$(PYTHON) -m venv $(PROGRAMS)
	@$(PROGRAMS)/bin/pip install --progress-bar off --require-hashes --only-binary :all: -r $< \
	  | grep --line-buffered -E '^(Collecting|Installing|Successfully)' | cut -c -100
	@touch $@

.PHONY: programs
programs:
	@echo "make programs: 5 to 10 min the first time on two cores beside gRPC's core, most of it downloads and Go; 2 min later"
	@cmake/prerequisites.sh
	@$(MAKE) --no-print-directory $(PROGRAMS)/.ready
	$(call install,$(PROGRAMS),OFF)
	$(call say,Programs)
	@$(PROGRAMS)/bin/pytest tests/programs

# On each interpreter that there is, with a table at the end.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14 python3.15

.PHONY: pythons
pythons:
	@$(PYTHON) tests/pythons.py $(PYTHONS)

# Editable: `import uvgrpc` builds what has changed. Nothing is stripped, which takes longer than linking.
DEV := .venv-dev
$(DEV)/.ready: $(SIBLINGS)

.PHONY: dev
dev:
	@cmake/prerequisites.sh
	@$(MAKE) --no-print-directory $(DEV)/.ready
	$(call say,gRPC core)
	@PATH="$(CURDIR)/$(DEV)/bin:$$PATH" cmake -DPython3_EXECUTABLE="$(CURDIR)/$(DEV)/bin/python" -P cmake/build_core.cmake
	$(call say,Package uvgrpc: editable)
	@$(DEV)/bin/pip install --quiet --no-build-isolation --no-deps --force-reinstall --editable . \
	  -C editable.rebuild=true -C editable.verbose=false -C install.strip=false -C 'build-dir=build/{wheel_tag}-dev'
	@echo "$(DEV)/bin/pytest tests/python/test_server.py   runs what is in the tree, C++ and Cython too"

# Wheels, compiled for an older C library than this machine's (docs/releasing.md).
WHEELS := .venv-wheels
WHEEL_PYTHONS ?= $(PYTHONS)
WHEEL_PLATFORMS ?= manylinux_2_28_x86_64

$(WHEELS)/.ready: third_party/wheels.txt

.PHONY: wheels wheels-twice wheels-bare check-macos sdist release
wheels: $(WHEELS)/.ready
	@$(WHEELS)/bin/python cmake/wheels/make.py --pythons $(WHEEL_PYTHONS) --platforms $(WHEEL_PLATFORMS)

# One of them, in two folders, for the same bytes.
wheels-twice: $(WHEELS)/.ready
	@$(WHEELS)/bin/python cmake/wheels/twice.py $(PYTHON) $(firstword $(WHEEL_PLATFORMS))

# As root; with Debian 12's Python.
wheels-bare: $(WHEELS)/.ready
	@$(WHEELS)/bin/python tests/bare.py $(or $(wildcard dist/*-cp311-cp311-manylinux_*.whl),$(error there is no such wheel in dist/))

check-macos: $(WHEELS)/.ready
	@$(WHEELS)/bin/python cmake/wheels/check_macos.py $(MACOS)

sdist: $(WHEELS)/.ready
	@$(WHEELS)/bin/python cmake/wheels/sdist.py

# RELEASE=check only checks.
release: $(WHEELS)/.ready
	@$(WHEELS)/bin/python cmake/wheels/release.py $(RELEASE)

# What moves with another grpcio than the one of third_party/grpc.cmake; core is not built.
.PHONY: newer-grpcio
newer-grpcio: $(WHEELS)/.ready
	@$(WHEELS)/bin/python cmake/newer_grpcio.py "$(VERSION)"

.PHONY: requirements
requirements:
	@$(PYTHON) -m venv .venv-pins
	@.venv-pins/bin/pip install --quiet pip-tools
	@cd third_party && for name in requirements siblings oldest oldest-3.13 oldest-3.14 oldest-3.15 build wheels programs docs; do \
	  ../.venv-pins/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	    --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o $$name.txt $$name.in; \
	done

# The site. Its environment has nothing of the package: what it documents is read, not imported.
DOCS := .venv-docs

$(DOCS)/.ready: third_party/docs.txt
	$(call say,Virtual environment $(DOCS))
	@$(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/pip install --quiet --require-hashes --only-binary :all: -r $<
	@touch $@

.PHONY: docs
docs: $(DOCS)/.ready
	$(call say,Site)
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build

.PHONY: clean
clean:
	rm -rf build .venv-*
