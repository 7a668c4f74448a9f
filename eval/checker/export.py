"""Writes what training changed as a small file: `python -m eval.checker.export CHECKPOINT... --out rag/verify/support.safetensors`.

Each changed matrix is kept as the product of two narrow ones (the truncated singular value decomposition of its
difference from all-MiniLM-L6-v2), everything else whole; all in 16 bits. Then the network is run as the checker runs
it, on sources that it was not trained on, to fit the calibration.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from eval.checker.checkpoint import mean, read_checkpoint
from eval.checker.data import TWINS_SET, Claim, Group, Label, Pair, Part, groups, read_groups, read_human, read_twins
from eval.checker.names import TYPES, base_weights, bert_name
from eval.fit import fit
from rag.config import Settings
from rag.index.embed import Embedder, model_dir
from rag.verify.checker import OFFSET, SLOPE, THRESHOLD, ruled
from rag.verify.network import WEIGHTS, Calibration, SupportNetwork, combined

RANK = 64
# Of the claims said to be contradicted at least this share shall be.
PRECISION = 0.88
# Before anything is fitted.
UNFITTED = Calibration(slope=1.0, bias=0.0, contradicted=0.5)
# Where "supported" begins, in `rag.verify.network.combined`: our own claims, of which every other is a trap, ask for -1,
# answers that people labelled for up to 1 (`eval/LOG.md`).
BEGINS = 0.0

Array = NDArray[np.float32]
Half = NDArray[np.float16]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim of the set `set`, and the network's logits (3)."""

    set: str
    claim: Claim
    logits: Array


def low_rank(difference: Array, rank: int) -> tuple[Half, Half]:
    """(rank x inputs, outputs x rank), whose product, the second by the first, is nearest to the difference."""
    left, values, right = np.linalg.svd(difference, full_matrices=False)
    root = np.sqrt(values[:rank])  # shared evenly, so that neither falls below what 16 bits can hold
    return (root[:, None] * right[:rank]).astype(np.float16), (left[:, :rank] * root).astype(np.float16)


def changes(trained: Mapping[str, Array], base: Mapping[str, Array], rank: int) -> dict[str, Half]:
    """What to store of trained weights (by the checkpoint's names) beside those they began as (by BERT's)."""
    stored: dict[str, Half] = {}
    for name, value in trained.items():
        known = bert_name(name)
        if known in base and np.array_equal(base[known], value):
            continue
        if known in base and value.ndim == 2 and name != TYPES:
            stored[f"{known}.a"], stored[f"{known}.b"] = low_rank(value - base[known], rank)
        else:
            stored[known] = value.astype(np.float16)
    return stored


def write(path: Path, weights: Mapping[str, Half], calibration: Calibration) -> None:
    from safetensors.numpy import save_file

    save_file(
        {name: np.ascontiguousarray(value) for name, value in sorted(weights.items())},
        str(path),
        metadata={"calibration": json.dumps(asdict(calibration))},
    )


def judged(judge: SupportNetwork, made: Sequence[Group]) -> list[Judged]:
    """Each claim's logits, as the checker asks for them."""
    found = []
    for group in tqdm(made, "judged", unit=" sources"):
        memory = judge.read(group.pieces)
        for claim in group.claims:
            logits = judge.logits(memory, claim.pieces, np.array(claim.features, np.float32))
            found.append(Judged(group.set, claim, logits))
    return found


def calibrated(rows: Sequence[Judged]) -> Calibration:
    """How the network's logits are to be read, fitted on claims it was not trained on."""
    seen = np.array([combined(row.logits, SLOPE * row.claim.untrained + OFFSET) for row in rows])
    labels = np.array([row.claim.label for row in rows])
    weights, _ = fit(seen[:, None], (labels == Label.SUPPORTED).astype(np.float64))
    slope = float(weights[0])
    found = replace(UNFITTED, slope=slope, bias=-slope * BEGINS)
    scores, shares = read(rows, found)
    asked = np.array([row.set == TWINS_SET for row in rows]) & (scores < THRESHOLD)
    return replace(found, contradicted=least_share(shares[asked], (labels == Label.CONTRADICTED)[asked]))


def read(rows: Sequence[Judged], calibration: Calibration) -> tuple[Floats, Floats]:
    """For each row the checker's probabilities of supported and of contradicted."""
    pairs = [
        ruled(
            row.logits,
            SLOPE * row.claim.untrained + OFFSET,
            [bool(rule) for rule in row.claim.features[5:]],
            row.claim.penalty,
            calibration,
        )
        for row in rows
    ]
    scores, shares = np.array(pairs, np.float64).T
    return scores, shares


def least_share(shares: Floats, right: NDArray[np.bool_], precision: float = PRECISION) -> float:
    """The least share from which at least `precision` of what has it or more is right; 1 if there is none."""
    order = np.argsort(-shares)
    precise = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision
    return float(shares[order][np.flatnonzero(precise)[-1]]) if precise.any() else 1.0


def figures(rows: Sequence[Judged], calibration: Calibration) -> str:
    """How well the calibrated network does on these rows, a line for each set."""
    scores, shares = read(rows, calibration)
    labels = np.array([row.claim.label for row in rows])
    names = np.array([row.set for row in rows])
    lines = []
    for name in sorted(set(names.tolist())):
        own = names == name
        right = (scores[own] >= THRESHOLD) == (labels[own] == Label.SUPPORTED)
        held = [right[(labels[own] == Label.SUPPORTED) == side].mean() for side in (True, False)]
        said = own & (scores < THRESHOLD) & (shares >= calibration.contradicted)
        precise = (labels[said] == Label.CONTRADICTED).mean() if said.any() else float("nan")
        lines.append(
            f"{name}: {own.sum()} claims; of the supported {held[0]:.3f} and of the others {held[1]:.3f} are judged so; "
            f"{said.sum()} said to be contradicted, {precise:.3f} of them are"
        )
    return "\n".join(lines)


def development(options: argparse.Namespace, settings: Settings) -> list[Group]:
    """The development part; with `--sources`, of the twins the sources of these ids instead.

    Read from `groups.jsonl` beside the checkpoint, which the training left, or else from the claims themselves.
    """
    sources = frozenset(options.sources.read_text(encoding="utf-8").split()) if options.sources else None

    def chosen(item: Pair | Group) -> bool:
        if sources is not None and item.set == TWINS_SET:
            return item.source_id in sources
        return item.part is Part.DEVELOPMENT

    kept: Path = options.checkpoints[0].parent / "groups.jsonl"
    if kept.is_file():
        return [group for group in read_groups(kept) if chosen(group)]
    pairs = [pair for pair in chain(read_twins(), read_human(options.human) if options.human else ()) if chosen(pair)]
    return groups(tqdm(pairs, "read", unit=" claims"), Embedder.from_settings(settings))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval.checker.export", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "checkpoints", type=Path, nargs="+", metavar="CHECKPOINT",
        help="`net.pt`, as eval.checker.train leaves it, or an exported file; of several the mean of their weights",
    )  # fmt: skip
    parser.add_argument("--rank", type=int, default=RANK, help="of the differences kept (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--human", type=Path, metavar="FOLDER", help="human-labelled sets, where no groups.jsonl is there"
    )
    parser.add_argument(
        "--sources", type=Path, metavar="FILE",
        help="ids of the twins to calibrate on, one a line, for a checkpoint that was trained on others than usual",
    )  # fmt: skip
    return parser.parse_args()


def main() -> int:
    options = arguments()
    settings = Settings(embedding_model=None)  # all-MiniLM-L6-v2, which the network is made of
    made = development(options, settings)
    model = model_dir(settings)
    trained = mean([read_checkpoint(path, model) for path in options.checkpoints])
    weights = changes(trained, base_weights(model), options.rank)
    with tempfile.TemporaryDirectory() as folder:
        uncalibrated = Path(folder) / "support.safetensors"
        write(uncalibrated, weights, UNFITTED)
        judge = SupportNetwork(model, Path(folder), settings.embedding_precision, uncalibrated)
        rows = judged(judge, made)
    calibration = calibrated(rows)
    write(options.out, weights, calibration)
    print(figures(rows, calibration))
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB, {calibration}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
