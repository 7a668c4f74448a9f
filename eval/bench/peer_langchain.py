"""LangChain over Chroma, after the tutorial "Build a semantic search engine" of its documentation.

Its splitter cuts at 1,000 characters with 200 of overlap; encoder and store are as the integrations' pages open them.
"""

from __future__ import annotations

from pathlib import Path

from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter

from eval.bench.worker import Found, System, documents, minilm, serve


class LangChain(System):
    """A persistent collection, opened as a vector store."""

    def __init__(self, folder: Path) -> None:
        embeddings = HuggingFaceEmbeddings(model_name=minilm())
        self._store = Chroma(collection_name="quickstart", embedding_function=embeddings, persist_directory=str(folder))
        self._splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)

    def add(self, path: Path) -> None:
        texts = [Document(page_content=text, metadata={"title": title}) for title, text in documents(path)]
        self._store.add_documents(documents=self._splitter.split_documents(texts))

    def search(self, query: str, k: int) -> list[Found]:
        return [Found(item.metadata["title"], item.page_content) for item in self._store.similarity_search(query, k=k)]


if __name__ == "__main__":
    serve(LangChain)
