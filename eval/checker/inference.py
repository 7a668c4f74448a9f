"""Corpora of natural language inference, which teach the network what follows from a text told in free words.

A folder of `*.jsonl`, a file for each corpus, of rows `{source, claim, label}`, where the label is "supported" (entailment),
"contradicted" (contradiction) or "unsupported" (neutral). Nothing of them is kept but weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eval.cases import read_lines
from eval.checker.data import Group, Label
from eval.checker.pretraining import Told, plain_group
from rag.errors import UsageError
from rag.index.embed import Embedder
from rag.ingest.repair import readable

_LABELS = {label.name.lower(): label for label in (Label.SUPPORTED, Label.CONTRADICTED, Label.UNSUPPORTED)}


def read_inference(folder: Path, embedder: Embedder) -> Iterator[Group]:
    """A group for each source of each corpus, with all claims about it; the file's name is the kind of its claims.

    Raises:
        UsageError: the folder holds no such file, or a row is not as it should be.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise UsageError(f"{folder} holds no .jsonl file of an inference corpus")
    for path in paths:
        told: dict[str, list[Told]] = {}
        for number, row in enumerate(read_lines(path, "source", "claim", "label"), 1):
            if row["label"] not in _LABELS:
                raise UsageError(f"{path}, row {number}: the label is none of {', '.join(_LABELS)}")
            told.setdefault(row["source"], []).append((readable(row["claim"]), _LABELS[row["label"]], path.stem))
        for at, (source, claims) in enumerate(told.items()):
            yield plain_group(f"inference-{path.stem}", f"{path.stem}-{at}", readable(source), claims, embedder)
