# Everything a person does here, one target each; `make help` lists them. Each installs and builds what it needs.

SHELL := /bin/bash
export VIRTUAL_ENV := $(CURDIR)/.venv
export PATH := $(VIRTUAL_ENV)/bin:$(PATH)
# One compiler cache serves every clone of this repository, wherever it lies.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: help setup setup-hw build demo test bench lint format differential fuzz sanitize npu-formal npu-mutants npu-full \
  npu-proof npu-gates npu-ecp5 fpga-formal fpga-floats fpga-operators fpga-proof wheel clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what packages.txt lists and this machine lacks (apt, and pip into .venv)
	@scripts/setup.sh

setup-hw: setup  ## also the tools that synthesise and prove hardware
	@scripts/setup.sh hw

build: setup  ## build everything into build/
	@scripts/build.sh default

demo: build  ## ResNet-50 on a photograph, over CPU, GPU, the simulated NPU and the simulated FPGA
	@python -m examples.demo

test: build  ## every test; the last line is 'N passed, N failed'
	@python scripts/test.py

bench: build  ## measure beside ONNX Runtime, OpenVINO and PyTorch; writes bench/out/ and docs/performance.md
	@scripts/setup.sh bench
	@python -m bench

lint: setup  ## check format and style of C++ and Python
	@python scripts/lint.py

format: setup  ## rewrite C++ and Python files in the project's format
	@python scripts/lint.py --fix

differential: build  ## COUNT=2000 random graphs from SEED=1 on, compiled for CPU and OpenCL against the interpreter
	@build/bin/tetrarch-differential --seed $(or $(SEED),1) --count $(or $(COUNT),2000)
	@build/bin/tetrarch-differential --seed $(or $(SEED),1) --count $(or $(COUNT),2000) --target opencl \
	  --device build/lib/tetrarch/devices/tetrarch_opencl.so

fuzz: setup  ## fuzz every parser for SECONDS_EACH=60 seconds
	@scripts/build.sh asan fuzzers
	@python scripts/fuzz.py --seconds $(or $(SECONDS_EACH),60)

sanitize: setup  ## the light half's tests under the address, undefined-behaviour and thread sanitizers
	@scripts/build.sh asan-light
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ctest --test-dir build-asan-light --output-on-failure
	@scripts/build.sh tsan
	@# OpenCL drivers are not instrumented: what TSan believes to see in them is left out.
	@TSAN_OPTIONS=ignore_noninstrumented_modules=1:report_mutex_bugs=0 ctest --test-dir build-tsan --output-on-failure

npu-formal: build setup-hw  ## prove element, floats, tokens, queues, issue rules and decoder of the NPU's RTL with an SMT solver
	@python rtl/npu/formal/prove.py

npu-mutants: build  ## flip COUNT=50 operators of the NPU's RTL, one at a time: the tests must catch 9 of 10
	@python rtl/npu/mutate.py --count $(or $(COUNT),50)

npu-full: build  ## a whole image of ResNet-50, int8, through the NPU's RTL (minutes), with a bar
	@python -m rtl.npu.full

npu-proof: build  ## the NPU's long proof: PROGRAMS=5000 a configuration, MUTANTS=50; its last line counts what was found
	@scripts/build.sh default npu_rtl_bf16_16
	@python -m rtl.npu.proof --programs $(or $(PROGRAMS),5000) --mutants $(or $(MUTANTS),50)

npu-gates: build setup-hw  ## LIBRARY=osu018: synthesise the NPU's parts and run their gates beside the RTL
	@python -m rtl.flow.gates $(or $(LIBRARY),/usr/share/qflow/tech/osu018/osu018_stdcells.lib)

npu-ecp5: build setup-hw  ## the NPU of side 8 on an FPGA: SEEDS=3 placements, a bitstream in build/npu-ecp5
	@python -m rtl.flow.ecp5 --seeds $(or $(SEEDS),3)
	@python -m rtl.flow.publish

fpga-formal: setup-hw  ## prove FIFOs, line buffers and accumulator cells of kernels for FPGAs with an SMT solver
	@python -m rtl.fpga.formal.prove

fpga-floats: build  ## the float operators of kernels for FPGAs, PAIRS=10000000 random pairs of each format
	@TETRARCH_FPGA_PAIRS=$(or $(PAIRS),10000000) build/tests/fpga_floats_test

fpga-operators: setup-hw  ## place and route each operator of kernels for FPGAs that was not measured yet
	@python -m rtl.flow.fpga_operators

fpga-proof: build setup-hw  ## the FPGA's long proof: GRAPHS=50, KERNELS=200, ROUTE=3 programs; its last line counts what was found
	@python -m rtl.fpga.proof --graphs $(or $(GRAPHS),50) --kernels $(or $(KERNELS),200) --route $(or $(ROUTE),3) --parts

wheel: setup  ## build the Python wheel into dist/ and try it in an environment of its own
	@python scripts/wheel.py

clean:  ## remove what was built, keep .venv
	rm -rf build build-light build-asan build-asan-light build-tsan build-wheel dist
