"""Does this text support that claim? The one checker behind answers, `attest check` and grounding scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder
from rag.index.lexical import words
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.types import Check, Verdict
from rag.verify import edits
from rag.verify.alignment import align, cut, repeated
from rag.verify.features import rouge_l_precision, token_similarity, weighed_stems, word_coverage
from rag.verify.network import LONGEST_SOURCE as NETWORK_PIECES
from rag.verify.network import Calibration, SupportNetwork
from rag.verify.objections import DISCOUNTS, Objection, gate, objections
from rag.verify.prepared import LONGEST_SOURCE, Prepared, nearest, prepare
from rag.verify.quantities import NUMBER, missing_numbers, numbers, other_unit

if TYPE_CHECKING:
    from rag.config import Settings

# Without the network: sigmoid(SLOPE * mean + OFFSET) is the probability that people call the claim supported, where
# `mean` is that of the four views times 0.6 + 0.4 * the share of the claim's numbers found. Logistic regression on
# hagrid and gensearch.
SLOPE, OFFSET = 6.93, -4.47
THRESHOLD = 0.5
# A rule that found something wrong leaves a claim this share of its score: below the threshold, order kept.
PENALTY = 0.45
# What an objection takes from the logit of a claim that repeats its sentence, by kind: the more, the seldomer it is raised
# against what is true (`eval/LOG.md`). The second line is the rules of `rag.verify.edits` and `missing_numbers`.
WEIGHTS = {
    "turned": 7.0, "prefix": 6.0, "sides": 8.0, "affirmed": 6.0, "denied": 4.0, "exchanged": 6.0, "renamed": 6.0,
    "replaced": 2.0, "every": 2.0, "only": 3.0, "figure": 8.0, "count": 5.0, "owner": 6.0, "share": 3.0,
}  # fmt: skip
RULES = (4.0, 0.0, 2.0, 4.0)
# What a missing number takes however the claim is told.
MISSING_NUMBER = 0.5
# An objection is told to the reader from this strength on.
CLEAR = 0.3
# Word pieces of the sentences that the network reads of a source too long for it.
EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Said:
    """A claim, repaired: its text, its vector, and the ids, vectors (word pieces x dimension) and half-open offsets of its
    word pieces."""

    text: str
    vector: NDArray[np.float32]
    ids: NDArray[np.int64]
    tokens: NDArray[np.float32]
    offsets: list[tuple[int, int]]


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
        rules = sum(weight for weight, reason in zip(RULES, self.objections, strict=True) if reason)
        differences = sum(WEIGHTS[made.kind] * made.strength for made in self.against)
        return self.gate * (rules + differences) + MISSING_NUMBER * bool(self.objections[1])

    def features(self) -> tuple[float, ...]:
        return (*self.views, *(float(bool(reason)) for reason in self.objections))

    @property
    def untrained(self) -> float:
        return sum(self.views[:4]) / 4 * (0.6 + 0.4 * self.views[4])


class Checker:
    """Checks claims with one encoder. Deterministic; needs no shelf, key or network.

    Args:
        embedder: for the untrained views.
        network: the learned view; without it the untrained ones and the rules decide.
    """

    def __init__(self, embedder: Embedder, network: SupportNetwork | None = None) -> None:
        self._embedder = embedder
        self._network = network

    @classmethod
    def from_settings(cls, settings: Settings, embedder: Embedder | None = None) -> Checker:
        """The checker these settings name."""
        return cls(embedder or Embedder.from_settings(settings), SupportNetwork.from_settings(settings))

    def check(self, claim: str, source: str) -> Check:
        """The verdict on `claim` against `source`, with the sentence of it that comes nearest."""
        return self.check_all([(claim, source)])[0]

    def check_all(self, pairs: Sequence[tuple[str, str]]) -> list[Check]:
        """As `check`, for each (claim, source); what they share is read once, and what can be is read together."""
        found = [_verbatim(claim, source[:LONGEST_SOURCE]) for claim, source in pairs]
        left = [pair for pair, check in zip(pairs, found, strict=True) if not check]
        sources = list(dict.fromkeys(source for _, source in left))
        prepared = dict(zip(sources, self.prepare_all(sources), strict=True))
        said = self._said(list(dict.fromkeys(claim for claim, _ in left)))
        return [
            check or self._weighed(said[claim], prepared[source])
            for (claim, source), check in zip(pairs, found, strict=True)
        ]

    def prepare(self, source: str) -> Prepared:
        """Read a source once, to check many claims against it."""
        return self.prepare_all([source])[0]

    def prepare_all(self, sources: Sequence[str]) -> list[Prepared]:
        """As `prepare`, for several sources, which are encoded together."""
        made = prepare(sources, self._embedder)
        if not self._network:
            return made
        pieces = [[self._network.pieces(sentence.text) for sentence in source.sentences] for source in made]
        return [
            replace(source, pieces=tuple(own), memory=self._network.read(_joined(own)) if _fits(own) else None)
            for source, own in zip(made, pieces, strict=True)
        ]

    def check_prepared(self, claim: str, source: Prepared) -> Check:
        """As `check`, for a source made ready by `prepare`."""
        return _verbatim(claim, source.text) or self._weighed(self._said([claim])[claim], source)

    def read(self, claim: str, source: Prepared) -> Reading:
        """What can be seen of a claim beside a source without the network."""
        return self._read(self._said([claim])[claim], source)

    def _said(self, claims: Sequence[str]) -> dict[str, Said]:
        """Each claim, as it reads once repaired, and encoded."""
        read = [readable(claim).strip() for claim in claims]
        encoded = {
            row: (vector, *parts[0]) for row, vector, parts in self._embedder.embed_parts([[text] for text in read])
        }
        return {
            claim: Said(read[row], *encoded[row], self._embedder.token_offsets(read[row]))
            for row, claim in enumerate(claims)
        }

    def _weighed(self, claim: Said, source: Prepared) -> Check:
        """The verdict on what does not stand in the source word for word."""
        if not words(claim.text) or not source.sentences:
            why = "there is nothing to check" if source.sentences else "there is no source to check against"
            return Check(Verdict.UNCHECKED, 0.0, "", 0, 0, why)
        reading = self._read(claim, source)
        near = source.sentences[reading.order[0]]
        score, contradicted = self._judge(reading, source)
        quote, verdict = source.text[near.start : near.end], Verdict.UNSUPPORTED
        if score >= THRESHOLD:
            return Check(Verdict.SUPPORTED, score, quote, near.start, near.end, "")
        if contradicted:
            verdict = Verdict.CONTRADICTED
        return Check(verdict, score, quote, near.start, near.end, _reason(reading, verdict))

    def _read(self, claim: Said, source: Prepared) -> Reading:
        said = claim.text
        cosines = source.sentence_vectors @ claim.vector
        stems = weighed_stems(said, self._embedder)
        weights: dict[str, float] = {}
        for stem, weight in stems:
            weights[stem] = max(weight, weights.get(stem, 0.0))
        order = nearest(said, source, cosines, weights)
        sentences = [sentence.text for sentence in source.sentences]
        absent = missing_numbers(said, sentences)
        views = (
            rouge_l_precision(words(said), source.words),
            word_coverage(stems, source.stems),
            token_similarity(self._embedder.informativeness(claim.ids), claim.tokens, source.tokens),
            max(float(cosines.max()), 0.0),
            _share(said, absent, source),
        )
        near = sentences[order[0]]
        rules = (
            edits.turned(said, sentences) or "",
            _absent(absent, near) or other_unit(said, sentences) or "",
            edits.one_sided_negation(said, near) or "",
            _unnamed(edits.missing_names(said, " ".join(sentences))),
        )
        repeats = gate(repeated(weights, source.sentences[order[0]].stems))
        against = self._against(claim, source, order, weights, absent) if repeats else ()
        return Reading(said, views, rules, tuple(order), against, repeats)

    def _against(
        self, claim: Said, source: Prepared, order: Sequence[int], weights: dict[str, float], absent: list[str]
    ) -> tuple[Objection, ...]:
        """What a reading word by word holds against a claim."""
        own = cut(claim.text, claim.offsets, claim.tokens)
        pairs = [align(own, source.sentences[row].words, weights) for row in order[: len(DISCOUNTS)]]
        return tuple(objections(pairs, [sentence.words for sentence in source.sentences], absent))

    def _judge(self, reading: Reading, source: Prepared) -> tuple[float, bool]:
        """The probability that the claim is supported, and whether it is contradicted if not."""
        untrained = SLOPE * reading.untrained + OFFSET
        rules = [bool(reason) for reason in reading.objections]
        if self._network is None:
            score = 1 / (1 + math.exp(reading.penalty - untrained))
            return (score * PENALTY if any(rules) else score), rules[0]
        memory = source.memory or self._network.read(excerpt(source.pieces, reading.order))
        logits = self._network.logits(
            memory, self._network.pieces(reading.claim), np.array(reading.features(), np.float32)
        )
        score, contradicted = ruled(logits, untrained, rules, reading.penalty, self._network.calibration)
        return score, contradicted >= self._network.calibration.contradicted


def ruled(
    logits: NDArray[np.float32], untrained: float, rules: Sequence[bool], penalty: float, calibration: Calibration
) -> tuple[float, float]:
    """The probabilities of supported and of contradicted, by network, untrained logit, the four rules and the penalty for
    objections together.

    What repeats the source nearly word for word with another number is never supported. Of free paraphrases the rule for
    turned words is as often wrong as right, so to say "contradicted" the network must lean its way.
    """
    score, contradicted = calibration.probabilities(logits, untrained, penalty)
    turned, number = rules[:2]
    near = untrained > 0
    if near and number:
        score *= PENALTY
    opposed = turned and (near or bool(logits[1] > logits[0]))
    return score, 1.0 if opposed else contradicted


def excerpt(sentences: Sequence[list[int]], order: tuple[int, ...]) -> list[int]:
    """The word pieces of a source, or of the sentences nearest to the claim, in their own order, where it is long."""
    if _fits(sentences):
        return _joined(sentences)
    taken: list[int] = []
    room = EXCERPT
    for row in order:
        if taken and len(sentences[row]) > room:
            break
        taken.append(row)
        room -= len(sentences[row])
    return _joined([sentences[row] for row in sorted(taken)])[:NETWORK_PIECES]


def _fits(sentences: Sequence[list[int]]) -> bool:
    """Whether the network can read all of a source."""
    return sum(map(len, sentences)) <= NETWORK_PIECES


def _joined(sentences: Sequence[list[int]]) -> list[int]:
    return [piece for sentence in sentences for piece in sentence]


def _share(claim: str, absent: list[str], source: Prepared) -> float:
    """The share of the claim's numbers, written in digits or words, that the source bears out."""
    own = numbers(claim)
    held = frozenset[float]().union(*(sentence.numbers for sentence in source.sentences))
    lacking = own - held - numbers(" ".join(found for found in NUMBER.findall(claim) if found not in absent))
    return 1 - len(lacking) / len(own) if own else 1.0


def _absent(absent: list[str], near: str) -> str:
    held = sorted(NUMBER.findall(near))
    says = f"; the nearest sentence has {', '.join(held)}" if held else ""
    return f"the number {', '.join(absent)} does not occur in the source{says}" if absent else ""


def _unnamed(names: list[str]) -> str:
    return f"the source does not mention {', '.join(names)}" if names else ""


def _reason(reading: Reading, verdict: Verdict) -> str:
    """What a rule can point at, or in general terms what is wrong."""
    turned, *others = reading.objections
    if verdict is Verdict.CONTRADICTED:
        return turned or others[0] or others[1] or "the source says otherwise"
    clear = [made for made in reading.against if reading.gate * made.strength >= CLEAR]
    clearest = max(clear, key=lambda made: WEIGHTS[made.kind] * made.strength, default=None)
    general = "the source does not say this, or not in words close enough to tell"
    return next(filter(None, others), clearest.reason if clearest else general)


def _verbatim(claim: str, source: str) -> Check | None:
    """Supported, when the source says the claim word for word: as stored, or once both are repaired."""
    said = claim.strip()
    wanted = words(said)
    if len(wanted) <= 2:
        return None
    at = source.find(said)
    spans = [(at, at + len(said))] if at >= 0 and _whole_words(source, at, at + len(said)) else []
    joined = f" {' '.join(wanted)} "
    spans += (
        [(start, end) for start, end in split_sentences(source) if joined in f" {' '.join(words(source[start:end]))} "]
        if not spans
        else []
    )
    if not spans:
        return None
    start, end = spans[0]
    return Check(Verdict.SUPPORTED, 1.0, source[start:end], start, end, "the source says it word for word")


def _whole_words(text: str, start: int, end: int) -> bool:
    return not (text[start - 1 : start].isalnum() and text[start].isalnum()) and not (
        text[end : end + 1].isalnum() and text[end - 1].isalnum()
    )


@cache
def _default_checker() -> Checker:
    from rag.config import settings

    return Checker.from_settings(settings())


def check(claim: str, source: str, *, settings: Settings | None = None) -> Check:
    """Check one claim against one source text.

    Args:
        claim: a sentence.
        source: the text that should support it, for instance an abstract.
        settings: other than those of the environment.

    Returns:
        Verdict, probability that people would call the claim supported, and the nearest sentence:
        `source[start:end] == quote`.
    """
    checker = Checker.from_settings(settings) if settings else _default_checker()
    return checker.check(claim, source)
