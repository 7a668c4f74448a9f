"""LlamaIndex over Chroma, after "Basic Example (including saving to disk)" of its documentation of the Chroma vector store.

Every default (splitter, batch sizes, distance, device) is left alone; no language model is used.
"""

from __future__ import annotations

from pathlib import Path

import chromadb
from llama_index.core import Document, Settings, StorageContext, VectorStoreIndex
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore

from eval.bench.worker import Found, System, documents, minilm, serve


class LlamaIndex(System):
    """A persistent collection, and the index over it."""

    def __init__(self, folder: Path) -> None:
        Settings.llm = None  # unset, it would be OpenAI
        Settings.embed_model = HuggingFaceEmbedding(model_name=minilm())
        database = chromadb.PersistentClient(path=str(folder))
        self._store = ChromaVectorStore(chroma_collection=database.get_or_create_collection("quickstart"))
        self._index = VectorStoreIndex.from_vector_store(self._store)

    def add(self, path: Path) -> None:
        texts = [Document(text=text, doc_id=title) for title, text in documents(path)]
        VectorStoreIndex.from_documents(texts, storage_context=StorageContext.from_defaults(vector_store=self._store))

    def search(self, query: str, k: int) -> list[Found]:
        found = self._index.as_retriever(similarity_top_k=k).retrieve(query)
        return [Found(item.node.ref_doc_id or "", item.get_content()) for item in found]


if __name__ == "__main__":
    serve(LlamaIndex)
