"""How often each objection of the checker is raised, and what that says it should weigh: `python -m eval.checker.objections`.

What is false and still repeats its source nearly word for word is in the twins: a sentence of one version beside the
other version. What is true and near is a sentence told with other words beside its own source; what is true and free are
the supported claims of the twins. Some of those sentences differ in words only, so that not all can be found.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from eval.cases import DATASETS
from eval.checker.data import TWINS, Label, Pair, Part, part_of_source, read_twins
from eval.checker.pretraining import reword
from eval.fit import fit
from rag.config import settings
from rag.index.embed import Embedder
from rag.index.lexical import terms, words
from rag.ingest.sentences import split_sentences
from rag.verify.checker import OFFSET, SLOPE, Checker
from rag.verify.reading import CLEAR, ONE_SIDED, TURNED, UNNAMED, WEIGHTS, Reading

EDIT, REWORDED = "edit", "reworded"
_SEED = 11
# The share of a sentence's stems that the nearest one of the other version repeats: below it another thing is told.
_REPEATED = 0.55
_FEWEST_WORDS = 5
_RULES = ("repeated", "number", "negation", "unnamed")


def edits(path: Path = TWINS, *, seed: int = _SEED) -> Iterator[Pair]:
    """Sentences of each version of a twin's source beside the other version (not supported), and sentences of that version
    told with other words (supported)."""
    with (DATASETS / "papers.jsonl").open(encoding="utf-8") as lines:
        abstracts = {row["id"]: row["abstract"] for row in map(json.loads, lines)}
    chance = random.Random(seed)
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            part, versions = part_of_source(row["id"]), (row.get("a") or abstracts[row["id"]], row["b"])
            for other, source in (versions, versions[::-1]):
                own = _sentences(source)
                for said in _sentences(other):
                    if said not in own and len(words(said)) >= _FEWEST_WORDS and _repeated(said, own):
                        yield Pair(EDIT, row["id"], part, source, said, Label.NOT_SUPPORTED, EDIT)
                told = reword(chance.choice(own), chance)
                if told not in source:
                    yield Pair(EDIT, row["id"], part, source, told, Label.SUPPORTED, REWORDED)


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def _repeated(said: str, sentences: Sequence[str]) -> bool:
    wanted = set(terms(said))
    return bool(wanted) and max(len(wanted & set(terms(own))) for own in sentences) >= _REPEATED * len(wanted)


def strengths(reading: Reading) -> dict[str, float]:
    """How much each kind of objection counts against a claim, in [0, 1]."""
    found = {made.kind: made.strength for made in reading.against}
    found |= {name: 1.0 for name, reason in zip(_RULES, reading.objections, strict=True) if reason}
    return {name: reading.gate * strength for name, strength in found.items()}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--part", choices=[part.value for part in (Part.TRAINING, Part.DEVELOPMENT)], default="development"
    )
    part = Part(parser.parse_args().part)
    checker = Checker(Embedder.from_settings(settings()))
    asked = [pair for pair in itertools.chain(edits(), read_twins()) if pair.part is part]
    read: list[tuple[Pair, Reading]] = []
    for source, pairs in itertools.groupby(tqdm(asked, "read", unit=" claims"), key=lambda pair: pair.source):
        prepared = checker.prepare(source)
        read += [(pair, checker.read(pair.claim, prepared)) for pair in pairs]
    names = [*WEIGHTS, *_RULES]
    against = np.array([[strengths(reading).get(name, 0.0) for name in names] for _, reading in read])
    true = np.array([pair.label is Label.SUPPORTED for pair, _ in read])
    near = np.array([pair.set == EDIT for pair, _ in read])
    seen = np.array([SLOPE * reading.untrained + OFFSET for _, reading in read])
    fitted, _ = fit(np.c_[seen, against], true.astype(np.float64))
    print(f"{'objection':>10}  edits  reworded  true claims  fitted  weight   ({CLEAR} and more, of claims)")
    for at, (name, weight) in enumerate(zip(names, [*WEIGHTS.values(), TURNED, 0.0, ONE_SIDED, UNNAMED], strict=True)):
        raised = against[:, at] >= CLEAR
        rates = [raised[rows].mean() for rows in (near & ~true, near & true, ~near & true)]
        print(f"{name:>10}  {rates[0]:.3f}  {rates[1]:8.3f}  {rates[2]:11.3f}  {-fitted[at + 1]:6.2f}  {weight:6.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
