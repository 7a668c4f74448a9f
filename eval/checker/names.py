"""The encoder's weights: what a checkpoint calls them, and what BERT, and with it `rag/verify/network.py`, does.

A checkpoint has for each layer N the matrices of query, key, value and output of the attention (q, k, v, o) and of the
feed-forward part (i, d) as `layers.N.q.w` (outputs x inputs) and `layers.N.q.b`, the two norms as `layers.N.n1.weight`
and so on, the token types as `typ`, the norm of the embeddings as `n.weight` and `n.bias`, and the head: `h1` and `h2`
on what was read, `hf` on the features. Word and place vectors stay what they were and are not in it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag.index import bert_onnx

LAYERS = 6
TYPES = "typ"
NORM = "n"
HEAD = ("h1", "h2", "hf")
MATRICES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "o": "attention.output.dense", "i": "intermediate.dense", "d": "output.dense",
}  # fmt: skip
NORMS = {"n1": "attention.output.LayerNorm", "n2": "output.LayerNorm"}
_OTHERS = {NORM: "embeddings.LayerNorm", "h1": "head.inner", "h2": "head.outer", "hf": "head.views"}
_KINDS = {"w": "weight", "b": "bias", "weight": "weight", "bias": "bias"}


def bert_name(name: str) -> str:
    """BERT's (or the head's) name of a weight of a checkpoint."""
    if name == TYPES:
        return "embeddings.token_type_embeddings.weight"
    module, _, kind = name.rpartition(".")
    if module.startswith("layers."):
        _, number, part = module.split(".")
        return f"encoder.layer.{number}.{(MATRICES | NORMS)[part]}.{_KINDS[kind]}"
    return f"{_OTHERS[module]}.{_KINDS[kind]}"


def encoder_names() -> list[str]:
    """The names of a checkpoint, but for the head."""
    layers = [
        name
        for at in range(LAYERS)
        for name in (
            *(f"layers.{at}.{part}.{kind}" for part in MATRICES for kind in ("w", "b")),
            *(f"layers.{at}.{part}.{kind}" for part in NORMS for kind in ("weight", "bias")),
        )
    ]
    return [TYPES, f"{NORM}.weight", f"{NORM}.bias", *layers]


def head_names() -> list[str]:
    """The names of a checkpoint's head."""
    return [f"{part}.{kind}" for part in HEAD for kind in ("weight", "bias")]


def base_weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of a model folder by BERT's names."""
    return bert_onnx._load(folder)[1]
