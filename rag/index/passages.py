"""Who makes the vectors of passages and questions: the encoder itself, or an embedding of the user's beside it.

An embedding gives one vector a text. What needs more - late interaction, the support checker, the cutting by word
pieces - stays with the encoder, whose word-piece vectors and vocabulary an embedding of another maker cannot replace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.config import Settings
from rag.errors import ModelError, UsageError
from rag.index.embed import BESIDE, Embedder, Vectors, endpoint_model

Parts = list[tuple[NDArray[np.int64], Vectors]]


class Encoder(Protocol):
    """Vectors of norm 1 for passages and questions, each with the word-piece vectors of its parts; see `Embedder`."""

    name: str
    dimension: int

    def embed_parts(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, Vectors, Parts]]: ...
    def embed_question(self, text: str) -> tuple[Vectors, NDArray[np.int64], Vectors]: ...


class Embedding(Protocol):
    """One vector a text, of any length (texts x dimension)."""

    name: str

    def texts(self, texts: Sequence[str]) -> Sequence[Sequence[float]]: ...
    def question(self, text: str) -> Sequence[float]: ...


class LlamaIndexEmbedding:
    """An embedding object of LlamaIndex; its own batch size, retries and instructions for questions hold."""

    def __init__(self, embedding: Any) -> None:
        self._embedding = embedding
        kind, name = type(embedding).__name__, str(getattr(embedding, "model_name", "unknown"))
        self.name = kind if name == "unknown" else f"{kind}:{name}"

    def texts(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        found: Sequence[Sequence[float]] = self._embedding.get_text_embedding_batch(list(texts))
        return found

    def question(self, text: str) -> Sequence[float]:
        found: Sequence[float] = self._embedding.get_query_embedding(text)
        return found


class Beside:
    """Vectors of passages and questions by an embedding, everything of word pieces by the encoder.

    Raises:
        ModelError: the embedding fails, or gives what are no vectors.
    """

    def __init__(self, embedding: Embedding, words: Embedder) -> None:
        self._embedding, self._words = embedding, words
        self.name = f"{embedding.name}{BESIDE}{words.name}"
        self.dimension = 0
        self.dimension = len(self._vectors(["what is this?"], question=True)[0])

    def embed_parts(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[int, Vectors, Parts]]:
        vectors = self._vectors([" ".join(parts) for parts in texts])
        for row, _, parts in self._words.embed_parts(texts):
            yield row, vectors[row], parts

    def embed_question(self, text: str) -> tuple[Vectors, NDArray[np.int64], Vectors]:
        _, ids, pieces = self._words.embed_question(text)
        return self._vectors([text], question=True)[0], ids, pieces

    def _vectors(self, texts: Sequence[str], *, question: bool = False) -> Vectors:
        """A row of norm 1 for each text."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        try:
            found = [self._embedding.question(texts[0])] if question else self._embedding.texts(texts)
            vectors = np.array(found, np.float32)
        except ModelError:
            raise
        except Exception as error:  # whatever a library raises
            said = f"the embedding {self._embedding.name} fails: {type(error).__name__}: {error}"
            raise ModelError(
                said, hint="what was stored before is kept; mend it and give the same command again"
            ) from error
        wanted = (len(texts), self.dimension or (vectors.shape[1] if vectors.ndim == 2 else 0))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.shape == wanted else np.zeros(1)
        if not (np.isfinite(norms).all() and (norms > 0).all()):
            said = f"the embedding {self._embedding.name} gives {vectors.shape} where {wanted} finite numbers, none of them all zero, are due"
            raise ModelError(said, hint="a shelf takes vectors of one length; give the embedding it was made with")
        return np.asarray(vectors / norms, np.float32)


def open_encoder(embedding: Any | None, settings: Settings, words: Embedder) -> Encoder:
    """The encoder, or an embedding beside it: an object of LlamaIndex, or the endpoint that the settings name.

    Raises:
        UsageError: `embedding` is no embedding.
        ModelError: it fails.
    """
    if embedding is not None:
        if not (hasattr(embedding, "get_text_embedding_batch") and hasattr(embedding, "get_query_embedding")):
            raise UsageError(
                f"a {type(embedding).__name__} is no embedding",
                hint="give an embedding object of LlamaIndex, or set ATTEST_EMBEDDING_MODEL to openai:MODEL or a model's folder",
            )
        return Beside(LlamaIndexEmbedding(embedding), words)
    if (model := endpoint_model(settings)) is not None:
        from rag.index.openai_embedding import OpenAIEmbedding

        return Beside(OpenAIEmbedding(model, settings), words)
    return words
