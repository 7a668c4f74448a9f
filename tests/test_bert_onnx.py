"""The graph we write against vectors of the original implementation (eval/bench/reference_vectors.py)."""

import json
from pathlib import Path

import numpy as np
import pytest

from rag.config import Settings
from rag.errors import ModelError
from rag.index import bert_onnx
from rag.index.embed import Embedder

REFERENCE = json.loads((Path(__file__).parent / "data" / "minilm_vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.9999), ("int8", 0.97)])
def test_vectors_agree_with_the_original(precision, least):
    embedder = Embedder.from_settings(Settings(embedding_precision=precision))
    ours = embedder.embed([row["text"] for row in REFERENCE])
    theirs = np.array([row["vector"] for row in REFERENCE])
    cosines = (ours * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.min() >= least, cosines


def test_another_architecture_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    with pytest.raises(ModelError, match="gpt2"):
        bert_onnx.write_fp32(tmp_path, tmp_path / "out.onnx")


def test_an_incomplete_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="not a complete model folder"):
        bert_onnx.write_fp32(tmp_path, tmp_path / "out.onnx")
