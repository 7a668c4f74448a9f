"""A claim read beside a source: how near it comes, and what can be pointed at that speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.index.embed import Embedder
from rag.index.lexical import words
from rag.types import Verdict
from rag.verify import edits
from rag.verify.alignment import DISCOUNTS, align, cut, repeated
from rag.verify.arithmetic import Figures, missing, other_unit
from rag.verify.features import rouge_l_precision, token_similarity, weighed_stems, word_coverage
from rag.verify.naming import missing_names
from rag.verify.objection import Objection
from rag.verify.objections import gate, objections
from rag.verify.prepared import Prepared, Said, nearest
from rag.verify.quantity import Quantity

# What an objection takes from the logit of a claim that repeats its sentence, by kind: the more, the seldomer it is raised
# against what is true (`eval/LOG.md`).
WEIGHTS = {
    "turned": 10.0, "prefix": 6.0, "sides": 11.0, "affirmed": 6.0, "denied": 6.0, "exchanged": 6.0, "transposed": 8.0, "renamed": 6.0,
    "replaced": 2.0, "every": 2.0, "only": 3.0, "figure": 2.0, "count": 5.0, "owner": 8.0, "share": 3.0,
    "amount": 6.0, "clause": 8.0, "level": 8.0, "pairing": 8.0,
}  # fmt: skip
# The same of the two rules of `rag.verify.edits`, and of a name that only the claim has.
TURNED, ONE_SIDED, UNNAMED = 4.0, 2.0, 4.0
# What a number and a name that the source lacks take however the claim is told.
MISSING_NUMBER, MISSING_NAME = 1.5, 0.7
# An objection is told to the reader from this strength on.
CLEAR = 0.3


@dataclass(frozen=True, slots=True)
class Reading:
    """A claim beside a source: the views of it, what rules object, and the sentences nearest to it first.

    `views` are the four of `rag.verify.features` and the share of the claim's numbers found; `objections` the reasons
    of the four rules (turned, number, negation, name), empty where a rule has none. `against` is what more detailed
    reading holds against the claim, and `gate` how far that counts, in [0, 1].
    """

    claim: str
    views: tuple[float, ...]
    objections: tuple[str, ...]
    order: tuple[int, ...]
    against: tuple[Objection, ...] = ()
    gate: float = 0.0

    @property
    def penalty(self) -> float:
        """What the objections take from the logit that the claim is supported."""
        turned, number, negation, name = map(bool, self.objections)
        rules = TURNED * turned + ONE_SIDED * negation + UNNAMED * name
        near = rules + sum(WEIGHTS[made.kind] * made.strength for made in self.against)
        return self.gate * near + MISSING_NUMBER * number + MISSING_NAME * name

    def features(self) -> tuple[float, ...]:
        return (*self.views, *(float(bool(reason)) for reason in self.objections))

    @property
    def untrained(self) -> float:
        return sum(self.views[:4]) / 4 * (0.6 + 0.4 * self.views[4])


def read(claim: Said, source: Prepared, embedder: Embedder) -> Reading:
    """A claim beside a source that has sentences."""
    said = claim.text
    cosines = source.sentence_vectors @ claim.vector
    stems = weighed_stems(said, embedder)
    weights: dict[str, float] = {}
    for stem, weight in stems:
        weights[stem] = max(weight, weights.get(stem, 0.0))
    order = nearest(claim, source, cosines, weights)
    sentences = [sentence.text for sentence in source.sentences]
    figures, given = claim.figures, [sentence.figures for sentence in source.sentences]
    absent = missing(figures, given)
    views = (
        rouge_l_precision(words(said), source.words),
        word_coverage(stems, source.stems),
        token_similarity(embedder.informativeness(claim.ids), claim.tokens, source.tokens),
        max(float(cosines.max()), 0.0),
        1 - len(absent) / len(figures.quantities) if figures.quantities else 1.0,
    )
    near = sentences[order[0]]
    rules = (
        edits.turned(said, sentences) or "",
        _absent(absent, given[order[0]]) or other_unit(figures, given) or "",
        edits.one_sided_negation(said, near) or "",
        _unnamed(missing_names(said, " ".join(sentences))),
    )
    repeats = gate(repeated(weights, source.sentences[order[0]].stems))
    against = _against(claim, source, order, weights, absent) if repeats else ()
    return Reading(said, views, rules, tuple(order), against, repeats)


def _against(
    claim: Said, source: Prepared, order: Sequence[int], weights: dict[str, float], absent: list[Quantity]
) -> tuple[Objection, ...]:
    """What a reading word by word holds against a claim."""
    own = cut(claim.text, claim.offsets, claim.tokens)
    pairs = [align(own, source.sentences[row].words, weights) for row in order[: len(DISCOUNTS)]]
    return tuple(objections(pairs, [sentence.words for sentence in source.sentences], absent))


def _absent(absent: Sequence[Quantity], near: Figures) -> str:
    lacking = dict.fromkeys(made.written for made in absent)
    held = dict.fromkeys(made.written for made in near.quantities)
    says = f"; the nearest sentence has {', '.join(held)}" if held else ""
    return f"the number {', '.join(lacking)} does not occur in the source{says}" if lacking else ""


def _unnamed(names: list[str]) -> str:
    return f"the source does not mention {', '.join(names)}" if names else ""


def reason(reading: Reading, verdict: Verdict) -> str:
    """What a rule can point at, or in general terms what is wrong."""
    turned, *others = reading.objections
    if verdict is Verdict.CONTRADICTED:
        return turned or others[0] or others[1] or "the source says otherwise"
    clear = [made for made in reading.against if reading.gate * made.strength >= CLEAR]
    clearest = max(clear, key=lambda made: WEIGHTS[made.kind] * made.strength, default=None)
    general = "the source does not say this, or not in words close enough to tell"
    return next(filter(None, others), clearest.reason if clearest else general)
