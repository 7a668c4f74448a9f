"""Haystack, after the tutorial "Creating Your First QA Pipeline with Retrieval-Augmentation" without its language model.

The tutorial's store is in memory; it is kept with `save_to_disk`, the way its documentation gives.
"""

from __future__ import annotations

from pathlib import Path

from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

from eval.bench.worker import Found, System, documents, minilm, serve


class Haystack(System):
    """A document store, the embedder that fills it, and the pipeline that asks it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "documents.json"
        there = self._file.is_file()
        self._store = InMemoryDocumentStore.load_from_disk(str(self._file)) if there else InMemoryDocumentStore()
        self._embedder = SentenceTransformersDocumentEmbedder(model=minilm())
        self._pipeline = Pipeline()
        self._pipeline.add_component("text_embedder", SentenceTransformersTextEmbedder(model=minilm()))
        self._pipeline.add_component("retriever", InMemoryEmbeddingRetriever(self._store))
        self._pipeline.connect("text_embedder.embedding", "retriever.query_embedding")

    def add(self, path: Path) -> None:
        texts = [Document(content=text, meta={"title": title}) for title, text in documents(path)]
        self._store.write_documents(self._embedder.run(texts)["documents"])
        self._store.save_to_disk(str(self._file))

    def search(self, query: str, k: int) -> list[Found]:
        found = self._pipeline.run({"text_embedder": {"text": query}, "retriever": {"top_k": k}})
        return [Found(item.meta["title"], item.content) for item in found["retriever"]["documents"]]


if __name__ == "__main__":
    serve(Haystack)
