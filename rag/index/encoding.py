"""Papers to what a shelf stores of their words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder, Vectors
from rag.index.passages import Encoder
from rag.index.reading import read_abstract
from rag.index.stored import EncodedPaper, EncodedPassage
from rag.index.tokens import pack
from rag.ingest.chunk import PASSAGE_TOKENS, cut, embedding_parts
from rag.types import Paper

PACKED = 128  # passages whose word-piece vectors are made small in one product
T = TypeVar("T")


class PaperEncoder:
    """Cuts papers by word pieces and encodes their passages.

    The vectors of an int8 model depend in their second digit on what is encoded in the same call, for activations are
    quantised by their common range: whoever wants equal shelves encodes equal batches.

    Args:
        words: cuts into word pieces.
        encoder: makes the vectors; `words` itself, or an embedding beside it.
        projection: of word-piece vectors, as the shelf keeps it (dimension x `tokens.DIMENSION`).
        stop: ids of word pieces that are not kept.
    """

    def __init__(self, words: Embedder, encoder: Encoder, projection: Vectors, stop: NDArray[np.int64]) -> None:
        self._words, self._encoder, self._projection, self._stop = words, encoder, projection, stop

    def encode(self, papers: Sequence[Paper]) -> list[EncodedPaper]:
        """Each paper read and cut into passages, and those through the encoder in one go."""
        cuts = [cut(paper, self._words.count_tokens, PASSAGE_TOKENS) for paper in papers]
        places = [(at, passage) for at, own in enumerate(cuts) for passage in own]
        parts = [embedding_parts(papers[at], passage) for at, passage in places]
        done: dict[int, EncodedPassage] = {}
        for some in _portions(self._encoder.embed_parts([[text for _, text in own] for own in parts])):
            texts = [
                [(number, ids, vectors) for (number, _), (ids, vectors) in zip(parts[row], encoded, strict=True)]
                for row, _, encoded in some
            ]
            packed = pack(texts, self._projection, self._stop)
            for (row, vector, _), tokens in zip(some, packed, strict=True):
                done[row] = EncodedPassage(places[row][1], vector, tokens)
        out: list[list[EncodedPassage]] = [[] for _ in papers]
        for row, (at, _) in enumerate(places):
            out[at].append(done[row])
        return [EncodedPaper(read_abstract(paper.abstract), own) for paper, own in zip(papers, out, strict=True)]


def _portions(encoded: Iterable[T]) -> Iterator[list[T]]:
    held: list[T] = []
    for item in encoded:
        held.append(item)
        if len(held) == PACKED:
            yield held
            held = []
    if held:
        yield held
