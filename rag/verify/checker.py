"""Does this text support that claim? The one checker behind answers, `attest check` and grounding scores."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from rag.index.embed import Embedder
from rag.index.lexical import terms, words
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.types import Check, Verdict
from rag.verify import edits
from rag.verify.features import NUMBER, WINDOW, Prepared, numbers, rouge_l_precision, token_similarity, word_coverage

if TYPE_CHECKING:
    from rag.config import Settings

# Score = sigmoid(SLOPE * mean + OFFSET) is the probability that people call the claim supported, where
# `mean` is that of the four views times 0.6 + 0.4 * the share of the claim's numbers found. Fitted by
# logistic regression on hagrid and gensearch only (`python -m eval.fit_checker`); other sets check it.
SLOPE, OFFSET = 6.93, -4.47
THRESHOLD = 0.5
# A rule that found something wrong leaves a claim this share of its score: below the threshold, order kept.
PENALTY = 0.45
# A source longer than this is a document, not a quotation: only its nearest part is looked at closely.
LONGEST_SOURCE = 20_000


class Checker:
    """Checks claims with one encoder. Deterministic; needs no shelf, key or network."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def check(self, claim: str, source: str) -> Check:
        """The verdict on `claim` against `source`, with the sentence of it that comes nearest."""
        if verbatim := _verbatim(claim, source[:LONGEST_SOURCE]):
            return verbatim  # the usual case of the extractive writer, and it needs no model
        return self.check_prepared(claim, self.prepare(source))

    def prepare(self, source: str) -> Prepared:
        """Read a source once, to check many claims against it."""
        stored = source[:LONGEST_SOURCE]
        spans = tuple(split_sentences(stored))
        text = readable(stored)
        offsets = self._embedder.token_offsets(text)
        starts = range(0, max(len(offsets), 1), WINDOW)
        windows = (
            [text[offsets[at][0] : offsets[min(at + WINDOW, len(offsets)) - 1][1]] for at in starts] if offsets else []
        )
        tokens = [vectors for _, vectors in self._embedder.embed_tokens(windows)]
        return Prepared(
            stored,
            tuple(words(text)),
            frozenset(terms(text)),
            numbers(text),
            spans,
            self._embedder.embed([readable(stored[start:end]) for start, end in spans]),
            np.concatenate(tokens) if tokens else np.empty((0, self._embedder.dimension), np.float32),
        )

    def check_prepared(self, claim: str, source: Prepared) -> Check:
        """As `check`, for a source made ready by `prepare`."""
        said = readable(claim).strip()
        if not words(said) or not source.sentences:
            return Check(
                Verdict.UNCHECKED,
                0.0,
                "",
                0,
                0,
                "there is nothing to check" if source.sentences else "there is no source to check against",
            )
        if verbatim := _verbatim(claim, source.text):
            return verbatim
        vector = self._embedder.embed([said])[0]
        cosines = source.sentence_vectors @ vector
        start, end = source.sentences[self._nearest(said, source, cosines)]
        score = self._score(said, source, float(cosines.max()))
        quote = source.text[start:end]
        reason = _objection(said, source, quote)
        if reason is None:
            verdict = Verdict.SUPPORTED if score >= THRESHOLD else Verdict.UNSUPPORTED
            return Check(
                verdict,
                score,
                quote,
                start,
                end,
                ""
                if verdict is Verdict.SUPPORTED
                else "the source does not say this, or not in words close enough to tell",
            )
        verdict, why = reason
        return Check(verdict, score * PENALTY, quote, start, end, why)

    def _score(self, claim: str, source: Prepared, cosine: float) -> float:
        ids, tokens = self._embedder.embed_tokens([claim])[0]
        views = (
            rouge_l_precision(words(claim), source.words),
            word_coverage(claim, source.stems, self._embedder),
            token_similarity(self._embedder.informativeness(ids), tokens, source.tokens),
            max(cosine, 0.0),
        )
        own = numbers(claim)
        share = len(own & source.numbers) / len(own) if own else 1.0
        mean = sum(views) / len(views) * (0.6 + 0.4 * share)
        return 1 / (1 + math.exp(-(SLOPE * mean + OFFSET)))

    def _nearest(self, claim: str, source: Prepared, cosines: np.ndarray) -> int:
        """The sentence with most of the claim's meaning, words and numbers."""
        wanted, own = set(terms(claim)), numbers(claim)
        best = [
            float(cosine)
            + (len(wanted & set(terms(source.text[start:end]))) / len(wanted) if wanted else 0.0)
            + (0.5 * len(own & numbers(source.text[start:end])) / len(own) if own else 0.0)
            for cosine, (start, end) in zip(cosines, source.sentences, strict=True)
        ]
        return int(np.argmax(best))


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


def _objection(said: str, source: Prepared, quote: str) -> tuple[Verdict, str] | None:
    if turned := edits.turned(said, [readable(source.text[start:end]) for start, end in source.sentences]):
        return Verdict.CONTRADICTED, turned
    if absent := edits.missing_numbers(said, readable(source.text)):
        held = sorted(NUMBER.findall(readable(quote)))
        says = f"; the nearest sentence has {', '.join(held)}" if held else ""
        return Verdict.UNSUPPORTED, f"the number {', '.join(absent)} does not occur in the source{says}"
    if negation := edits.one_sided_negation(said, readable(quote)):
        return Verdict.UNSUPPORTED, negation
    if names := edits.missing_names(said, readable(source.text)):
        return Verdict.UNSUPPORTED, f"the source does not mention {', '.join(names)}"
    return None


@cache
def _default_checker() -> Checker:
    from rag.config import settings

    return Checker(Embedder.from_settings(settings()))


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
    checker = Checker(Embedder.from_settings(settings)) if settings else _default_checker()
    return checker.check(claim, source)
