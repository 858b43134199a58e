# `make demo` and `make test` do all the set-up that they need; everything else builds on the same environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-all lint bench bench-pickle bench-hub bench-repo bench-hash bench-conformance bench-graphs bench-probe calibrate-probe fuzz docs allowlist clean

# pip resolves only when what it should install has changed.
$(VENV)/.installed: pyproject.toml setup.cfg
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --editable ".[all]"
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --editable ".[all,test]"
	touch $@

# Writes the sample models, scans them, leaves the reports. The verdict is "denied", as it should be.
demo: $(VENV)/.installed
	mkdir -p demo
	$(BIN)/python -m fixtures.make demo/models
	$(BIN)/modelscan-plus scan demo/models --format html=demo/report.html --format json=demo/report.json --hash --exit-zero
	@echo "Open demo/report.html in a browser."

test: lint
	$(BIN)/python -m tools.run_tests

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every Python at hand, each in an environment of its own.
test-all: test
	$(BIN)/python tools/test_all.py

bench: $(VENV)/.installed-test
	$(BIN)/python tools/bench.py --peers

# SHA-256 against `openssl speed`, and a scan with hashing against hashing alone, in one run.
# Peers, where they are installed: PEERS=DIR with one environment per peer.
bench-pickle: $(VENV)/.installed-test
	$(PIP) install -r tests/requirements-real.txt
	$(BIN)/python tools/bench_pickle.py $(if $(PEERS),--peers $(PEERS))

bench-hash: $(VENV)/.installed-test
	$(BIN)/python tools/bench_hash.py

# The cases of sigstore-conformance, one process each; needs its vectors beside the checkout.
bench-conformance: $(VENV)/.installed-test
	$(BIN)/python tools/conformance.py

# Hostile and honest graphs against this scanner and the peers that are installed.
bench-graphs: $(VENV)/.installed-test
	$(BIN)/python tools/bench_graphs.py --peers
	$(PIP) install torch onnxscript skl2onnx onnxmltools scikit-learn transformers lightgbm xgboost-cpu onnxruntime
	$(BIN)/python -m tools.graphs .bench-graphs --peers

# Bytes, ranges and seconds of remote scans, on the loopback hub of the tests.
bench-hub: $(VENV)/.installed-test
	$(BIN)/python tools/bench_hub.py --check

# Honest and hostile model repositories, with the shares that are judged rightly.
bench-repo: $(VENV)/.installed-test
	$(BIN)/python -m tools.bench_repo

# Planted and honest models of other seeds, tasks and attacks than the tables. PROBE=--quick or PROBE=--large.
bench-probe: $(VENV)/.installed-test
	$(PIP) install torch
	$(BIN)/python -m tools.probe_bench $(PROBE)

# Trains honest models and writes what the p-values of all probes rest on; three hours of one core.
calibrate-probe: $(VENV)/.installed-test
	$(PIP) install torch
	$(BIN)/python -m tools.probe_calibrate
	$(BIN)/python -m tools.probe_bench.text --calibrate
	$(BIN)/python -m tools.probe_bench.text --sweeps
	$(BIN)/python -m tools.probe_bench.causal --calibrate
	$(BIN)/python -m tools.probe_bench.embedding --calibrate

fuzz: $(VENV)/.installed-test
	$(BIN)/python tools/fuzz.py --runs 20000
	$(BIN)/python tools/fuzz_pickle.py --runs 1000000
	$(BIN)/python tools/fuzz_onnx.py --runs 1000000

docs: $(VENV)/.installed
	$(BIN)/python tools/build_docs.py

# Reads the sources of the libraries in tools/allowlist/sources.toml; needs a package index.
allowlist: $(VENV)/.installed
	$(BIN)/python -m tools.allowlist build

clean:
	rm -rf demo build dist *.egg-info
