"""Kept word-piece vectors: small, in order, and nearly as telling as the full ones."""

import numpy as np
import pytest

from rag.config import Settings
from rag.index.embed import Embedder
from rag.index.tokens import DIMENSION, cosines, learn_projection, pack, stop_ids

PARTS = [
    [(-1, "Herons."), (0, "The heron sorts integers in linear time."), (1, "It needs little memory.")],
    [(-1, "Meals."), (0, "Guests liked the soup.")],
    [(-1, "?"), (0, "the of and")],
]


@pytest.fixture(scope="module")
def embedder():
    return Embedder.from_settings(Settings())


@pytest.fixture(scope="module")
def projection(embedder):
    return learn_projection(embedder)


@pytest.fixture(scope="module")
def encoded(embedder):
    found = {row: own for row, _, own in embedder.embed_parts([[text for _, text in parts] for parts in PARTS])}
    return [
        [(number, *own) for (number, _), own in zip(PARTS[row], found[row], strict=True)] for row in range(len(PARTS))
    ]


def test_the_projection_is_orthonormal_and_the_same_every_time(embedder, projection):
    assert projection.shape == (embedder.dimension, DIMENSION)
    assert np.allclose(projection.T @ projection, np.eye(DIMENSION), atol=1e-3)
    assert np.array_equal(projection, learn_projection(embedder))


def test_stop_words_are_left_out_and_sentences_kept_apart(embedder, projection, encoded):
    stop = stop_ids(embedder)
    packed = pack(encoded, projection, stop)
    for parts, tokens in zip(encoded, packed, strict=True):
        kept = [number for number, ids, _ in parts for key in ids if key not in stop]
        assert tokens.sentences.tolist() == kept
        assert tokens.vectors.shape == (len(kept), DIMENSION)
        assert tokens.vectors.dtype == np.int8
    assert packed[2].sentences.size == 0


def test_small_cosines_are_close_to_the_full_ones(embedder, projection, encoded):
    packed = pack(encoded, projection, stop_ids(embedder))
    question = embedder.embed_tokens(["linear sorting of integers"])[0][1]
    stop = stop_ids(embedder)
    full = np.concatenate([vectors[~np.isin(ids, stop)] for _, ids, vectors in encoded[0]]) @ question.T
    small = cosines(question @ projection, packed)
    assert [len(own) for own in small] == [len(tokens.sentences) for tokens in packed]
    assert np.corrcoef(full.ravel(), small[0].ravel())[0, 1] > 0.95
    assert small[0].max() > small[1].max()
    assert cosines(question @ projection, []) == []
