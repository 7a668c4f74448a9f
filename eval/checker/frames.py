"""Sources and claims made of frames: one fact and a rival of it, each told in several ways, with names filled in.

`frames.jsonl` holds frames of our own words: `a` and `b` tell two facts that exclude each other, `weaker` follows from `a`,
`beyond` is neither said nor denied by `a`. A source is a sentence of each of a few frames among sentences of an
abstract; its claims are told in the other wordings. As every wording is source here and claim there, and names and
figures change each time, neither tells anything by itself: what is left to learn is who did what to whom.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from eval.checker.data import Group, Label, Part, part_of_source
from eval.checker.fillers import CHOSEN, invented
from eval.checker.pretraining import Told, plain_group
from rag.index.embed import Embedder
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences

FRAMES = Path(__file__).with_name("frames.jsonl")
FRAMES_SET = "frames"
_SLOT = re.compile(r"\{([A-Z])(\d)\}")
_RANKED = "PIR"  # figures: the first is the largest
_ALONE = 0.6  # of the sources are one sentence, about which more is claimed
_MOST_FRAMES, _MOST_AROUND = 3, 4  # frames and other sentences of a source
_MOST_ALONE, _MOST_AMONG = 5, 2  # claims of one side of a frame
_KEPT_NAME = 0.5  # of the names of one frame that come again in the next


@dataclass(frozen=True, slots=True)
class Frame:
    id: str
    kind: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    weaker: tuple[str, ...]
    beyond: tuple[str, ...]


@dataclass(slots=True)
class _Names:
    """What the frames of one source have named so far, so that some come again."""

    chance: random.Random
    names: dict[str, list[str]] = field(default_factory=dict)

    def filler(self) -> Callable[[str], str]:
        """Fills the slots of one frame's wordings, the same slot always alike."""
        values: dict[str, str] = {}
        figures = {kind: _figures(kind, self.chance) for kind in _RANKED}

        def fill(wording: str) -> str:
            filled = _SLOT.sub(lambda slot: value(slot[1], int(slot[2])), wording)
            return filled[:1].upper() + filled[1:]

        def value(kind: str, number: int) -> str:
            if kind in figures:
                return figures[kind][number - 1]
            key = f"{kind}{number}"
            if key not in values:
                known = [name for name in self.names.get(kind, ()) if name not in values.values()]
                again = known and self.chance.random() < _KEPT_NAME
                values[key] = self.chance.choice(known) if again else self._another(kind, values)
                self.names.setdefault(kind, []).append(values[key])
            return values[key]

        return fill

    def _another(self, kind: str, taken: dict[str, str]) -> str:
        for _ in range(50):
            name = self.chance.choice(CHOSEN[kind]) if kind in CHOSEN else invented(kind, self.chance)
            if name not in taken.values() and name not in self.names.get(kind, ()):
                return name
        return name


def read_frames(path: Path = FRAMES) -> list[Frame]:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Frame(row["id"], row["kind"], *(tuple(row[part]) for part in ("a", "b", "weaker", "beyond"))) for row in rows
    ]


def framed(
    frames: Sequence[Frame], abstracts: Sequence[str], embedder: Embedder, count: int, *, seed: int = 0
) -> Iterator[Group]:
    """So many sources with their claims, each of frames of one part (`part_of_source`); another seed makes others.

    Args:
        abstracts: whose sentences stand around those of the frames.
    """
    chance = random.Random(seed)
    parts: dict[Part, list[Frame]] = {}
    for frame in frames:
        parts.setdefault(part_of_source(frame.id), []).append(frame)
    for number in range(count):
        own = parts[part_of_source(chance.choice(frames).id)]
        alone = chance.random() < _ALONE
        chosen = chance.sample(own, min(len(own), 2 if alone else 1 + chance.randint(1, _MOST_FRAMES)))
        source, told = tell(chosen[:-1], chosen[-1], [] if alone else _around(abstracts, chance), chance)
        group = plain_group(FRAMES_SET, f"{FRAMES_SET}-{seed}-{number}", source, told, embedder)
        yield replace(group, part=part_of_source(chosen[0].id))


def tell(frames: Sequence[Frame], other: Frame, around: Sequence[str], chance: random.Random) -> tuple[str, list[Told]]:
    """A source and claims about it (text, label, kind).

    Args:
        frames: told in the source; `other` is not, but may be claimed.
        around: sentences that stand before, between and after.
    """
    names = _Names(chance)
    sentences, claims = list(around), list[Told]()
    most = _MOST_AMONG if around or len(frames) > 1 else _MOST_ALONE
    for frame in frames:
        sentence, found = _one(frame, names.filler(), most, chance)
        sentences.insert(chance.randint(0, len(sentences)), sentence)
        claims += found
    chance.shuffle(claims)
    if len(frames) > 1 and chance.random() < 0.6:
        claims += [merged(first, second) for first, second in zip(claims[::2], claims[1::2], strict=False)][:2]
    if chance.random() < 0.5:
        claims.append((names.filler()(chance.choice(other.a + other.b)), Label.UNSUPPORTED, "other"))
    return " ".join(sentences), claims


def _one(frame: Frame, fill: Callable[[str], str], most: int, chance: random.Random) -> tuple[str, list[Told]]:
    """A sentence that tells one side of a frame, and claims about it, at most so many of either side."""
    is_a = chance.random() < 0.5
    side, rival = (frame.a, frame.b) if is_a else (frame.b, frame.a)
    said, *others = chance.sample(side, most + 1)
    supported, contradicted = chance.randint(1, most), chance.randint(1, most)
    found = [(fill(text), Label.SUPPORTED, frame.kind) for text in others[:supported]]
    found += [(fill(text), Label.CONTRADICTED, frame.kind) for text in chance.sample(rival, contradicted)]
    if is_a and chance.random() < 0.5:
        found.append((fill(chance.choice(frame.weaker)), Label.SUPPORTED, "weaker"))
    if is_a and chance.random() < 0.7:
        found.append((fill(chance.choice(frame.beyond)), Label.UNSUPPORTED, "beyond"))
    return fill(said), found


def merged(first: Told, second: Told) -> Told:
    """Both claims in one sentence; it is contradicted if either is, and supported if both are."""
    labels = {first[1], second[1]}
    worst = next(one for one in (Label.CONTRADICTED, Label.UNSUPPORTED, Label.SUPPORTED) if one in labels)
    start = (
        second[0] if second[0][:2].isupper() or not second[0][1:2].islower() else second[0][:1].lower() + second[0][1:]
    )
    return f"{first[0].rstrip('.')}, and {start}", worst, "merge"


def _around(abstracts: Sequence[str], chance: random.Random) -> list[str]:
    text = readable(chance.choice(abstracts))
    sentences = [text[start:end] for start, end in split_sentences(text)]
    count = min(len(sentences), chance.randint(0, _MOST_AROUND))
    start = chance.randint(0, len(sentences) - count)
    return sentences[start : start + count]


def _figures(kind: str, chance: random.Random) -> list[str]:
    """Four figures of a kind, falling, mostly apart enough not to be taken for roundings of each other."""
    if kind == "I":
        top = chance.choice([20, 60, 300, 1_000, 5_000])
        drawn = sorted(chance.sample(range(3, top), 4), reverse=True)
        return [f"{value:,}" if chance.random() < 0.5 else str(value) for value in drawn]
    places = chance.choice([0, 0, 1, 1, 2]) if kind == "P" else 1
    least, most = (2, 99) if kind == "P" else (1.2, 12)
    while True:
        values = sorted((round(chance.uniform(least, most), places) for _ in range(4)), reverse=True)
        if all(high - low > 0.05 * high for high, low in itertools.pairwise(values)):
            return [f"{value:.{places}f}" for value in values]
