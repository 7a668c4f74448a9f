"""Does this text support that claim? The one checker behind answers, `attest check` and grounding scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.index.embed import Embedder
from rag.index.lexical import words
from rag.ingest.sentences import split_sentences
from rag.types import Check, Verdict
from rag.verify.network import LONGEST_SOURCE as NETWORK_PIECES
from rag.verify.network import Calibration, SupportNetwork
from rag.verify.prepared import LONGEST_SOURCE, Prepared, Said, prepare, said
from rag.verify.reading import Reading, read, reason

if TYPE_CHECKING:
    from rag.config import Settings

Given = TypeVar("Given")
Made = TypeVar("Made")
# Without the network: sigmoid(SLOPE * mean + OFFSET) is the probability that people call the claim supported, where
# `mean` is that of the four views times 0.6 + 0.4 * the share of the claim's numbers found. Logistic regression on
# hagrid and gensearch.
SLOPE, OFFSET = 6.93, -4.47
THRESHOLD = 0.5
# A rule that found something wrong leaves a claim this share of its score: below the threshold, order kept.
PENALTY = 0.45
# Word pieces of the sentences that the network reads of a source too long for it.
EXCERPT = 200


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
        found = [verbatim(claim, source[:LONGEST_SOURCE]) for claim, source in pairs]
        left = [pair for pair, check in zip(pairs, found, strict=True) if not check]
        claims, sources = list(dict.fromkeys(claim for claim, _ in left)), list(dict.fromkeys(own for _, own in left))
        told, prepared = self._read(claims, sources)
        weighed = iter(self._each(lambda pair: self._weighed(told[pair[0]], prepared[pair[1]]), left))
        return [check or next(weighed) for check in found]

    def prepare(self, source: str) -> Prepared:
        """Read a source once, to check many claims against it."""
        return self._read([], [source])[1][source]

    def check_prepared(self, claim: str, sources: Sequence[Prepared]) -> list[Check]:
        """As `check`, against each of several sources made ready by `prepare`."""
        found = [verbatim(claim, source.text) for source in sources]
        left = [source for source, check in zip(sources, found, strict=True) if not check]
        told = said([claim] if left else [], self._embedder)
        weighed = iter([self._weighed(told[0], source) for source in left])
        return [check or next(weighed) for check in found]

    def read(self, claim: str, source: Prepared) -> Reading:
        """What can be seen of a claim beside a source without the network."""
        return read(said([claim], self._embedder)[0], source, self._embedder)

    def _read(self, claims: Sequence[str], sources: Sequence[str]) -> tuple[dict[str, Said], dict[str, Prepared]]:
        """Claims and sources, read; they are encoded together."""
        stored = [source[:LONGEST_SOURCE] for source in sources]
        cut = [split_sentences(source) for source in stored]
        sentences = [source[start:end] for source, spans in zip(stored, cut, strict=True) for start, end in spans]
        read = iter(said([*claims, *sentences], self._embedder))
        told = {claim: next(read) for claim in claims}
        dimension = self._embedder.dimension
        made = [
            prepare(own, spans, list(islice(read, len(spans))), dimension)
            for own, spans in zip(stored, cut, strict=True)
        ]
        return told, dict(zip(sources, self._each(self._remembered, made), strict=True))

    def _remembered(self, source: Prepared) -> Prepared:
        """A source with what the network keeps of it."""
        if not self._network:
            return source
        pieces = tuple(self._network.pieces(sentence.text) for sentence in source.sentences)
        memory = self._network.read(_joined(pieces)) if _fits(pieces) else None
        return replace(source, pieces=pieces, memory=memory)

    def _each(self, function: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]:
        """What a function makes of each, several at a time: the network computes with one thread a call."""
        if len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(self._embedder.workers) as pool:
            return list(pool.map(function, items))

    def _weighed(self, claim: Said, source: Prepared) -> Check:
        """The verdict on what does not stand in the source word for word."""
        if not words(claim.text) or not source.sentences:
            why = "there is nothing to check" if source.sentences else "there is no source to check against"
            return Check(Verdict.UNCHECKED, 0.0, "", 0, 0, why)
        reading = read(claim, source, self._embedder)
        near = source.sentences[reading.order[0]]
        score, contradicted = self._judge(reading, source)
        quote, verdict = source.text[near.start : near.end], Verdict.UNSUPPORTED
        if score >= THRESHOLD:
            return Check(Verdict.SUPPORTED, score, quote, near.start, near.end, "")
        if contradicted:
            verdict = Verdict.CONTRADICTED
        return Check(verdict, score, quote, near.start, near.end, reason(reading, verdict))

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


def verbatim(claim: str, source: str) -> Check | None:
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
