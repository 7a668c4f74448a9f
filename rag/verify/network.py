"""The learned view of support: one encoder reads a source and the claims about it together.

The encoder is all-MiniLM-L6-v2, changed by the low-rank weights in `support.safetensors` (Hu et al., "LoRA", 2021; made
by `eval/checker/train.py`; `SUPPORT.md` is its data card). The source sees itself, a claim sees itself and the source: so
a source is read once however many claims there are about it, and no claim's score depends on the others.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rag.index import bert_onnx
from rag.index.embed import bundled_model_dir, exported

if TYPE_CHECKING:
    from rag.config import Settings

WEIGHTS = Path(__file__).with_name("support.safetensors")
# Word pieces: what is longer was not seen in training.
LONGEST_CLAIM, LONGEST_SOURCE = 72, 300
_CLS, _SEP = 101, 102
_FORMAT = "joint-2"  # of the exported file
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")

Array = NDArray[np.float32]
# Keys and values of a source, an array (2 x 1 x heads x length x head size) for each layer.
Memory = tuple[Array, ...]


# The network may object without bound, but speak for a claim only so far; and where a source says a claim nearly word
# for word, the untrained score counts in full (chosen with development claims and the human-labelled sets in view:
# `eval/LOG.md`).
SURE, PLAIN, VERBATIM = 2.0, 0.3, 2.0
# Objections to a claim that repeats the source bring it no further down than this: what speaks of another paper ranks
# below it.
FLOOR = -2.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How what is seen of a claim becomes the probability that people call it supported (Platt, 1999), and from what
    share of the network's softmax on "contradicted" is said."""

    slope: float
    bias: float
    contradicted: float

    def probabilities(self, logits: Array, untrained: float, penalty: float = 0.0) -> tuple[float, float]:
        """Of supported, and of contradicted.

        `untrained` is the logit of the untrained score, `penalty` what speaks against the claim, in units of `combined`.
        """
        shares = np.exp(logits - logits.max())
        free = combined(logits, untrained)
        score = self.slope * max(free - penalty, min(free, FLOOR)) + self.bias
        return 1 / (1 + math.exp(-score)), float(shares[1] / shares.sum())


def combined(logits: Array, untrained: float) -> float:
    """The network's margin of "supported" over the rest, and the logit of the untrained score, in one."""
    margin = float(logits[0]) - float(np.logaddexp(logits[1], logits[2]))
    return min(margin, SURE) + PLAIN * untrained + VERBATIM * max(untrained, 0.0)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file of weights holds, by BERT's names and those of the head; `version` tells it from others."""

    weights: dict[str, Array]
    calibration: Calibration
    version: str

    def changed(self, name: str, value: Array) -> Array:
        """A weight of all-MiniLM-L6-v2, `value` there, as training left it."""
        if name in self.weights:  # biases, norms and the like are kept whole
            return self.weights[name]
        if f"{name}.a" in self.weights:
            return np.asarray(value + self.weights[f"{name}.b"] @ self.weights[f"{name}.a"], np.float32)
        return value


class SupportNetwork:
    """Judges claims against sources, both as word-piece ids of all-MiniLM-L6-v2.

    Nothing is loaded before the first claim that needs it: what the extractive writer quotes never does.

    Args:
        folder: of all-MiniLM-L6-v2.
        cache_dir: where the exported model is kept.
        precision: fp32 or int8.
        weights: what the training left.
    """

    def __init__(self, folder: Path, cache_dir: Path, precision: str, weights: Path = WEIGHTS) -> None:
        self._folder = folder
        self._cache_dir = cache_dir
        self._precision = precision
        self._stored = read_weights(weights)
        self.calibration = self._stored.calibration

    @classmethod
    def from_settings(cls, settings: Settings) -> SupportNetwork | None:
        """The network; None where all-MiniLM-L6-v2 is not installed."""
        folder = bundled_model_dir()
        return _network(folder, settings.cache_dir, settings.embedding_precision) if folder else None

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        def write(model: Path, target: Path) -> None:
            bert_onnx.write_joint(model, self._stored.changed, target)

        onnx = exported(self._folder, self._cache_dir, self._precision, write, f"{_FORMAT} {self._stored.version}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the checker makes several calls at once
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            str(onnx), options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
        )

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def pieces(self, text: str) -> list[int]:
        """The word-piece ids of a text, without special tokens; 3,200 and 3200 are written alike."""
        return list(self._tokenizer.encode(_GROUPED.sub("", text), add_special_tokens=False).ids)

    def read(self, source: Sequence[int]) -> Memory:
        """A source's word-piece ids, at most `LONGEST_SOURCE` of them, read once for all claims about it."""
        nothing = {
            given.name: np.zeros([size if isinstance(size, int) else 0 for size in given.shape], np.float32)
            for given in self._session.get_inputs()
            if given.name.startswith("past.")
        }
        _, *present = self._session.run(None, _fed(source[:LONGEST_SOURCE], 0) | nothing)
        return tuple(present)

    def logits(self, memory: Memory, claim: Sequence[int], views: Array) -> Array:
        """Three logits of a claim: supported, contradicted, not said.

        Args:
            memory: what `read` made of the source.
            claim: word-piece ids, at most `LONGEST_CLAIM` are read.
            views: what is known of the claim beforehand (9; `rag.verify.checker`).
        """
        past = {f"past.{layer}": kept for layer, kept in enumerate(memory)}
        tokens: Array = self._session.run(["tokens"], _fed(claim[:LONGEST_CLAIM], 1) | past)[0][0]
        joined = np.concatenate([tokens[0], tokens.mean(axis=0)])
        head = self._stored.weights
        inner = np.tanh(head["head.inner.weight"] @ joined + head["head.inner.bias"])
        known = head["head.views.weight"] @ views + head["head.views.bias"]
        return np.asarray(head["head.outer.weight"] @ inner + head["head.outer.bias"] + known, np.float32)


def _fed(pieces: Sequence[int], kind: int) -> dict[str, NDArray[np.int64]]:
    ids = np.array([[_CLS, *pieces, _SEP]], np.int64)
    return {"input_ids": ids, "types": np.full_like(ids, kind)}


@lru_cache(maxsize=4)
def _network(folder: Path, cache_dir: Path, precision: str) -> SupportNetwork:
    return SupportNetwork(folder, cache_dir, precision)


@cache
def read_weights(path: Path) -> Stored:
    """What `eval/checker/export.py` wrote, in 32 bits."""
    from safetensors import safe_open

    weights: dict[str, Array] = {}
    with safe_open(str(path), framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 - the file object is no mapping
            weights[name] = file.get_tensor(name).astype(np.float32)
        said: dict[str, Any] = json.loads(file.metadata()["calibration"])
    return Stored(weights, Calibration(**said), hashlib.sha256(path.read_bytes()).hexdigest()[:16])
