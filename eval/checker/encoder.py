"""The checker's encoder in torch, for training on a CPU: the same arithmetic as `rag/verify/network.py` by ONNX.

all-MiniLM-L6-v2 (6 layers, 384 wide, 12 heads) reads a source and claims about it in one row: the source sees itself,
each claim sees itself and the source. Each claim's first token and its mean give three logits through a small head, to
which a linear layer adds what the 9 untrained features say.

What makes it two to three times as fast on two cores: 16-bit arithmetic (`torch.autocast`, by the caller); attention
written out, as the backward pass of the fused kernel is slow on CPUs; dropout masks cut from one large random tensor,
as drawing them takes longer than multiplying; lengths padded to multiples of 32, so that oneDNN finds the kernels
of a shape again (it keeps as many as `reuse_kernels` says).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from eval.checker.names import HEAD, LAYERS, NORM, TYPES, base_weights, bert_name, encoder_names
from eval.checker.plan import Row, padded, row_length

HEADS = 12
EPSILON = 1e-12
_CLS, _SEP = 101, 102
_UNSEEN = -1e4
_RANDOM = 1 << 24  # numbers in the tensor that dropout masks are cut from: ten times the largest mask


def reuse_kernels(shapes: int = 16_384) -> None:
    """Let oneDNN keep the kernels of so many shapes; to be called before the first arithmetic."""
    os.putenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(shapes))


@dataclass(frozen=True, slots=True)
class Batch:
    """B rows of L word pieces, with N claims in all and K at most in a row.

    `segments` (B x L): -1 padding, 0 source, k the row's k-th claim. `starts` (N): each claim's first token among the
    B * L. `cells` (N): its place among the B * K means, which `means` (B x K x L) makes of tokens. Also `ids`, `types`
    and `positions` (B x L), `features` (N x 9) and `labels` (N).
    """

    ids: Tensor
    types: Tensor
    positions: Tensor
    segments: Tensor
    starts: Tensor
    cells: Tensor
    means: Tensor
    features: Tensor
    labels: Tensor


def collate(rows: Sequence[Row]) -> Batch:
    """Rows as tensors, padded to the longest."""
    length = padded(max(map(row_length, rows)))
    most = max(len(chosen) for _, chosen in rows)
    ids, types, positions = (np.zeros((len(rows), length), np.int64) for _ in range(3))
    segments = np.full_like(ids, -1)
    means = np.zeros((len(rows), most, length), np.float32)
    starts, cells = list[int](), list[int]()
    for line, (group, chosen) in enumerate(rows):
        at = 0
        for number, pieces in enumerate([group.pieces, *(group.claims[claim].pieces for claim in chosen)]):
            own = slice(at, at + len(pieces) + 2)
            ids[line, own] = [_CLS, *pieces, _SEP]
            positions[line, own] = np.arange(len(pieces) + 2)
            types[line, own] = min(number, 1)
            segments[line, own] = number
            if number:
                means[line, number - 1, own] = 1 / (len(pieces) + 2)
                starts.append(line * length + at)
                cells.append(line * most + number - 1)
            at = own.stop
    claims = [group.claims[at] for group, chosen in rows for at in chosen]
    features = np.array([claim.features for claim in claims], np.float32)
    labels = np.array([claim.label.value for claim in claims], np.int64)
    arrays = (ids, types, positions, segments, np.array(starts), np.array(cells), means, features, labels)
    return Batch(*map(torch.from_numpy, arrays))


class Dropout:
    """Sets a share of numbers to zero and scales the others up; the masks are parts of one random tensor."""

    def __init__(self, share: float) -> None:
        self._masks = ((torch.rand(_RANDOM) >= share).float() / (1 - share)).to(torch.bfloat16)

    def __call__(self, x: Tensor) -> Tensor:
        count = x.numel()
        start = int(torch.randint(0, _RANDOM - count, (1,)))
        return x * self._masks[start : start + count].view_as(x)


class Encoder:
    """The weights by a checkpoint's names (`eval/checker/names.py`), and what they make of a batch.

    Args:
        folder: of all-MiniLM-L6-v2, whose weights it begins with; the head begins with what the checker does without
            a network.
    """

    def __init__(self, folder: Path) -> None:
        base = {name: torch.from_numpy(value.copy()) for name, value in base_weights(folder).items()}
        self._words = base["embeddings.word_embeddings.weight"]
        self._places = base["embeddings.position_embeddings.weight"]
        self.weights: dict[str, Tensor] = {name: base[bert_name(name)] for name in encoder_names()} | _head(
            self._words.shape[1]
        )
        for weight in self.weights.values():
            weight.requires_grad_(True)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take over weights of a checkpoint."""
        with torch.no_grad():
            for name, value in weights.items():
                self.weights[name].copy_(value)

    def is_head(self, name: str) -> bool:
        return name.partition(".")[0] in HEAD

    def logits(self, batch: Batch, dropout: Dropout | None = None) -> Tensor:
        """Supported, contradicted, unsupported for each claim (N x 3), in 32 bits.

        Args:
            dropout: in training only.
        """
        w = self.weights
        types = F.embedding(batch.types, w[TYPES])
        x = F.embedding(batch.ids, self._words) + F.embedding(batch.positions, self._places) + types
        x = _dropped(self._norm(x, NORM), dropout)
        mask = _seen(batch.segments)
        for layer in range(LAYERS):
            x = self._layer(x, mask, f"layers.{layer}", dropout)
        width = x.shape[-1]
        first = x.reshape(-1, width)[batch.starts]
        mean = torch.bmm(batch.means.to(x.dtype), x).reshape(-1, width)[batch.cells]
        inner = torch.tanh(F.linear(torch.cat([first, mean], 1), w["h1.weight"], w["h1.bias"]))
        read = F.linear(inner, w["h2.weight"], w["h2.bias"])
        with torch.autocast("cpu", enabled=False):
            return read.float() + F.linear(batch.features, w["hf.weight"], w["hf.bias"])

    def _layer(self, x: Tensor, mask: Tensor, name: str, dropout: Dropout | None) -> Tensor:
        rows, length, width = x.shape
        size = width // HEADS

        def heads(part: str) -> Tensor:
            return self._linear(x, f"{name}.{part}").view(rows, length, HEADS, size).transpose(1, 2)

        nearness = torch.matmul(heads("q") / math.sqrt(size), heads("k").transpose(-1, -2)) + mask
        attended = (torch.softmax(nearness, -1) @ heads("v")).transpose(1, 2)
        out = self._linear(attended.reshape(rows, length, width), f"{name}.o")
        x = self._norm(x + _dropped(out, dropout), f"{name}.n1")
        out = self._linear(F.gelu(self._linear(x, f"{name}.i")), f"{name}.d")
        return self._norm(x + _dropped(out, dropout), f"{name}.n2")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.w"], self.weights[f"{name}.b"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], EPSILON)


def _head(width: int) -> dict[str, Tensor]:
    views = torch.zeros(3, 9)
    views[0, :4], views[0, 4] = 1.6, 1.0
    bound = 1 / math.sqrt(2 * width)
    return {
        "h1.weight": torch.empty(width, 2 * width).uniform_(-bound, bound),
        "h1.bias": torch.empty(width).uniform_(-bound, bound),
        "h2.weight": torch.empty(3, width).normal_(std=0.02),
        "h2.bias": torch.zeros(3),
        "hf.weight": views,
        "hf.bias": torch.tensor([-4.3, 0.0, 0.0]),
    }


def _seen(segments: Tensor) -> Tensor:
    """What is added to attention (B x 1 x L x L): nothing where the row's token sees the column's."""
    own, other = segments[:, :, None], segments[:, None, :]
    seen = (own == other) | ((other == 0) & (own > 0))
    kind = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
    return torch.zeros(seen.shape, dtype=kind).masked_fill_(~seen, _UNSEEN)[:, None]


def _dropped(x: Tensor, dropout: Dropout | None) -> Tensor:
    return dropout(x) if dropout else x
