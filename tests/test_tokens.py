"""Kept word-piece vectors: small, in order, and nearly as telling as the full ones."""

import numpy as np
import pytest

from rag.config import Settings
from rag.index.embed import Embedder
from rag.index.tokens import DIMENSION, cosines, learn_projection, pack, product, stop_ids

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
    first, second = (cosines(question @ projection, tokens.vectors) for tokens in packed[:2])
    assert first.shape == (len(packed[0].sentences), len(question))
    assert np.corrcoef(full.ravel(), first.ravel())[0, 1] > 0.95
    assert first.max() > second.max()
    assert cosines(question @ projection, packed[2].vectors).shape == (0, len(question))


@pytest.mark.parametrize("width", [0, 1, 20, 255])
@pytest.mark.parametrize("rows", [0, 1, 127, 128, 1000])
def test_a_product_in_blocks_is_the_product(rows, width):
    vectors = np.arange(rows * DIMENSION, dtype=np.float32).reshape(rows, DIMENSION) % 7 - 3
    right = np.arange(DIMENSION * width, dtype=np.float32).reshape(DIMENSION, width) % 5 - 2
    assert np.allclose(product(vectors, right), vectors @ right, atol=1e-3)
