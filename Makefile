# Two commands do everything on a fresh machine: `make run` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help run test coverage setup check lint types client image licenses sizes clean lock protos \
	kfp mlflow audit secrets sbom docs

VENV := .venv
BIN := $(VENV)/bin
RECIPE := digits
DATA :=
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: setup  ## Run a recipe from data to answers: make run RECIPE=sunspots DATA=folder
	@$(BIN)/millrace run $(RECIPE) $(if $(DATA),--data "$(DATA)")
	@echo
	@echo 'Asking the pushed model about 10 rows of the test split over gRPC:'
	@$(BIN)/millrace predict $(RECIPE) --sample 10
	@echo
	@echo 'Next: $(BIN)/millrace recipes lists what there is; with data of your own, run'
	@echo '      $(BIN)/millrace run image-classifier --data YOUR_FOLDER'

test: setup  ## Pass the tests
	@$(BIN)/pytest

TESTS := tests
coverage: setup  ## Say what the tests reach, by room: make coverage TESTS=tests/serving
	@mkdir -p build/coverage && rm -f build/coverage/*
	@$(BIN)/coverage run -m pytest $(TESTS); ended=$$?; test $$ended -le 1 || exit $$ended; \
	  $(BIN)/coverage combine --quiet && $(BIN)/coverage json --quiet && \
	  $(BIN)/python -m benchmarks.covered build/coverage/coverage.json && exit $$ended

check: lint types test  ## Style, types and tests

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

setup: $(VENV)/installed  ## Make the environment in .venv, once

$(VENV)/installed: requirements-dev.lock pyproject.toml
	@$(or $(PYTHON),python3) -c '$(FITS)' 2>/dev/null || { \
	  echo "millrace needs Python 3.11, 3.12 or 3.13; found $$($(or $(PYTHON),python3) --version 2>&1). Install one, or name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@for folder in pipeline components serving; do \
	  test -d millrace/$$folder || ln -sfn ../$$folder millrace/$$folder; done  # unpacked without links
	@echo 'Setting up $(VENV): about 600 MB to fetch, a minute or two, once.'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet
lock:  ## Pin every dependency with its hashes (needs uv)
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --group serving -c requirements-dev.lock -o requirements-serving.lock
	$(COMPILE) --group client -c requirements.lock -o requirements-client.lock
	$(COMPILE) pyproject.toml --extra postgresql --extra s3 --group cpu \
	  --no-emit-package tensorflow -c requirements-dev.lock -o requirements-cpu.lock
	$(COMPILE) --group kfp -o requirements-kfp.lock
	$(COMPILE) --group mlflow -o requirements-mlflow.lock
	$(COMPILE) --group audit -o requirements-audit.lock

kfp: .venv-kfp/installed  ## Make the environment of the test that runs a Kubeflow pipeline

.venv-kfp/installed: requirements-kfp.lock
	@$(PYTHON) -m venv .venv-kfp
	@.venv-kfp/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

mlflow: .venv-mlflow/installed  ## Make the environment of the test that logs runs to an MLflow server

.venv-mlflow/installed: requirements-mlflow.lock
	@$(PYTHON) -m venv .venv-mlflow
	@.venv-mlflow/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv-audit/installed: requirements-audit.lock
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Exits with an error where the list cannot be asked for: nothing known is not nothing found.
audit: .venv-audit/installed  ## Look for known weaknesses in what is pinned (asks the network)
	@for lock in requirements*.lock; do echo $$lock && .venv-audit/bin/pip-audit \
	  --strict --require-hashes --disable-pip --progress-spinner off -r $$lock || exit 1; done

# Sources are full of digests, and tests of passwords that open nothing.
SECRETS := .venv-audit/bin/detect-secrets-hook \
	--disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString
secrets: .venv-audit/installed  ## Look for secrets in what git has
	@git ls-files -z ':!:*.lock' ':!:tests/*' | xargs -0 $(SECRETS)
	@git ls-files -z 'tests/*' | xargs -0 $(SECRETS) --disable-plugin KeywordDetector \
	  --disable-plugin BasicAuthDetector

sbom: .venv-audit/installed  ## Write what a release consists of, as CycloneDX, into dist
	@mkdir -p dist
	@for name in requirements requirements-serving requirements-client; do \
	  .venv-audit/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  --of JSON -o dist/$$name.cdx.json $$name.lock 2>/dev/null || exit 1; done
	@ls dist/*.cdx.json

sizes: setup  ## List what each dependency weighs, in MB
	@$(BIN)/python -m benchmarks.sizes

client: setup  ## Build the client's own wheel, which needs no TensorFlow, into dist
	@rm -rf build/client
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir dist serving/client_distribution
	@ls dist/tf_millrace_client-*.whl

ENGINE := docker
TARGETS := pipeline beam-worker server client
BUILD :=
image:  ## Build the images: make image TARGETS=server ENGINE=podman BUILD=--no-cache
	@for target in $(TARGETS); do \
	  $(ENGINE) build --target $$target --tag millrace-$$target $(BUILD) . || exit 1; done

docs: setup  ## Write the documentation's site to build/docs
	@$(BIN)/python -m sphinx -q -W --keep-going docs build/docs
	@echo 'Open build/docs/index.html'

licenses: setup  ## List the licence of every package that is installed
	@$(BIN)/pip-licenses --from=mixed | grep -v '^   '

protos: setup  ## Generate the message classes from serving/protos/*.proto
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. millrace/serving/protos/*.proto

clean:  ## Remove the environment and caches; artifacts under .millrace stay
	rm -rf $(VENV) .venv-kfp .venv-mlflow .venv-audit build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
