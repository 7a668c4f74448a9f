"""Labelled claims for the checker's network: read, described by what the checker sees, and grouped by source.

Two kinds. `twins.jsonl`: sources in two versions `a` and `b` and claims labelled against each, so that words alone tell
little; `a` is left out where the source is a paper of `eval/datasets/papers.jsonl`. And folders of human-labelled rows
`{source, claim, label, origin}`, one file for a set; label 1 is supported, 0 is not.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path

from eval.cases import DATASETS
from rag.index.embed import Embedder
from rag.index.lexical import words
from rag.ingest.repair import readable
from rag.verify.checker import Checker, excerpt
from rag.verify.network import LONGEST_CLAIM, LONGEST_SOURCE
from rag.verify.prepared import Prepared

TWINS = Path(__file__).with_name("twins.jsonl")
TWINS_SET = "twins"
# The human-labelled sets that are trained on; the others are only reported.
TRAINED = ("healthver", "gensearch")
WRONG_SOURCE = "wrong_source"
# One in so many sources (of human-labelled sets: claims of the training fold) is for development.
DEVELOPMENT_PART = 6
_SEED = 3
_KEPT = 64  # sources read last, as rows about one source stand together


class Label(IntEnum):
    """What people say of a claim beside its source; the first three are the network's outputs in their order."""

    SUPPORTED = 0
    CONTRADICTED = 1
    UNSUPPORTED = 2
    NOT_SUPPORTED = 3  # contradicted or unsupported: the set does not tell


class Part(Enum):
    TRAINING = "training"
    DEVELOPMENT = "development"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim beside a source, as read. `source_id` is shared by both versions of a source."""

    set: str
    source_id: str
    part: Part
    source: str
    claim: str
    label: Label
    kind: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as the network reads it: at most `LONGEST_CLAIM` word pieces, 9 features, the untrained score, and what
    objections take from its logit."""

    pieces: tuple[int, ...]
    features: tuple[float, ...]
    untrained: float
    label: Label
    kind: str
    penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """The word pieces of one source (at most `LONGEST_SOURCE`), or of an excerpt of it, and all claims about them."""

    set: str
    source_id: str
    part: Part
    pieces: tuple[int, ...]
    claims: tuple[Claim, ...]


def _hash(text: str) -> int:
    return int(hashlib.md5(text.encode()).hexdigest(), 16)


def part_of_source(source_id: str) -> Part:
    """Of a source of the twins."""
    return Part.TRAINING if _hash(source_id) % DEVELOPMENT_PART else Part.DEVELOPMENT


def part_of_claim(name: str, claim: str) -> Part:
    """Of a row of the human-labelled set `name`: by the claim, as one claim stands beside several sources."""
    fold, rest = _hash(claim) % 2, _hash(claim) // 2
    if name not in TRAINED or fold:
        return Part.REPORT
    return Part.TRAINING if rest % DEVELOPMENT_PART else Part.DEVELOPMENT


def read_twins(path: Path = TWINS, *, seed: int = _SEED) -> Iterator[Pair]:
    """Every claim beside both versions of its source, and beside each version a claim about another source.

    The other source is of the same part and of the same field, where the id names one (`bio-16`).
    """
    with (DATASETS / "papers.jsonl").open(encoding="utf-8") as lines:
        abstracts = {row["id"]: row["abstract"] for row in map(json.loads, lines)}
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    chance = random.Random(seed)
    fields: dict[tuple[str, Part], list[int]] = {}
    for at, row in enumerate(rows):
        fields.setdefault((row["id"].rpartition("-")[0], part_of_source(row["id"])), []).append(at)
    for at, row in enumerate(rows):
        part = part_of_source(row["id"])
        for side in "ab":
            source = abstracts[row["id"]] if side == "a" and "a" not in row else row[side]
            for said in row["claims"]:
                yield Pair(TWINS_SET, row["id"], part, source, said["text"], Label[said[side].upper()], said["kind"])
            others = [other for other in fields[row["id"].rpartition("-")[0], part] if other != at]
            if others:
                claim = chance.choice(rows[chance.choice(others)]["claims"])["text"]
                yield Pair(TWINS_SET, row["id"], part, source, claim, Label.UNSUPPORTED, WRONG_SOURCE)


def read_human(folder: Path) -> Iterator[Pair]:
    """The rows of every `*.jsonl` of a folder."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                claim, origin = row["claim"], row.get("origin", "")
                label = Label.SUPPORTED if row["label"] else Label.NOT_SUPPORTED
                if path.stem == "healthver" and not row["label"]:
                    label = Label.UNSUPPORTED if re.search("neutral", origin, re.IGNORECASE) else Label.CONTRADICTED
                source_id = hashlib.md5(row["source"].encode()).hexdigest()[:10]
                yield Pair(path.stem, source_id, part_of_claim(path.stem, claim), row["source"], claim, label, origin)


def groups(pairs: Iterable[Pair], embedder: Embedder) -> list[Group]:
    """Pairs as the checker would put them to its network; claims that are read with the same pieces stand together.

    Of a source longer than `LONGEST_SOURCE` pieces each claim has an excerpt of its own. Pairs with nothing to check
    are left out.
    """
    checker = Checker(embedder, None)
    kept: dict[str, tuple[Prepared, list[list[int]]]] = {}
    found: dict[tuple[str, str, Part, tuple[int, ...]], list[Claim]] = {}
    for pair in pairs:
        if pair.source not in kept:
            if len(kept) >= _KEPT:
                kept.clear()
            prepared = checker.prepare(pair.source)
            kept[pair.source] = prepared, [embedder.token_ids(sentence.text) for sentence in prepared.sentences]
        prepared, sentences = kept[pair.source]
        if not words(readable(pair.claim)) or not sentences:
            continue
        reading = checker.read(pair.claim, prepared)
        pieces = tuple(embedder.token_ids(reading.claim)[:LONGEST_CLAIM])
        source = tuple(excerpt(sentences, reading.order)[:LONGEST_SOURCE])
        claim = Claim(pieces, reading.features(), reading.untrained, pair.label, pair.kind, reading.penalty)
        found.setdefault((pair.set, pair.source_id, pair.part, source), []).append(claim)
    return [Group(*key, tuple(claims)) for key, claims in found.items()]


def write_groups(path: Path, made: Iterable[Group]) -> None:
    """One JSON line for each group, whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for group in made:
            claims = [[c.pieces, c.features, c.untrained, c.label.value, c.kind, c.penalty] for c in group.claims]
            row = [group.set, group.source_id, group.part.value, group.pieces, claims]
            file.write(json.dumps(row) + "\n")
    part.replace(path)


def read_groups(path: Path) -> list[Group]:
    """What `write_groups` wrote."""
    found = []
    with path.open(encoding="utf-8") as lines:
        for name, source_id, part, pieces, claims in map(json.loads, lines):
            read = [
                Claim(tuple(ids), tuple(features), untrained, Label(label), kind, penalty)
                for ids, features, untrained, label, kind, penalty in claims
            ]
            found.append(Group(name, source_id, Part(part), tuple(pieces), tuple(read)))
    return found
