"""The weights of a checkpoint, or of several together, by the encoder's names (`eval/checker/names.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.checker.names import base_weights, bert_name, encoder_names, head_names
from rag.verify.network import read_weights

Array = NDArray[np.float32]
EXPORTED = ".safetensors"


def read_checkpoint(path: Path, model: Path) -> dict[str, Array]:
    """What training left in a file, or `eval.checker.export` made of it.

    Args:
        model: folder of all-MiniLM-L6-v2, to which an exported file tells the difference.
    """
    if path.suffix == EXPORTED:
        stored, base = read_weights(path), base_weights(model)
        known = {name: stored.changed(bert_name(name), base[bert_name(name)]) for name in encoder_names()}
        return known | {name: stored.weights[bert_name(name)] for name in head_names()}
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: value.float().numpy() for name, value in state.items()}


def mean(checkpoints: Sequence[dict[str, Array]]) -> dict[str, Array]:
    """The mean of each weight (Wortsman et al., "Model soups", 2022)."""
    return {name: np.mean([one[name] for one in checkpoints], axis=0, dtype=np.float32) for name in checkpoints[0]}
