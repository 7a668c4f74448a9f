"""How the words of a paper meet those of a question, word by word: what the cut and the abstention look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.index.lexical import WORD, terms
from rag.index.segments import Segments
from rag.ingest.names import looks_like_name
from rag.ingest.repair import readable
from rag.retrieve.aspect import asks_figure, thing_asked
from rag.retrieve.interaction import EncodedQuestion, Interaction, QuestionWord
from rag.types import Match, Paper, Query, Sentence


@dataclass(frozen=True, slots=True)
class Meeting:
    """The words of a question, but for names of the paper, as the sentences of the paper meet them.

    A word meets a text with 1 where the text has its stem, or else with the best cosine of its pieces there: `each`
    (sentences x words). `rarity` (sums to 1) is how rare the words are on the shelf, `wanted` which of them say what is
    asked for, `stems` those of each sentence, `figures` which sentences have a figure, and `figure` whether one is
    asked for.
    """

    words: Sequence[QuestionWord]
    rarity: NDArray[np.float64]
    each: NDArray[np.float64]
    wanted: Sequence[int]
    stems: Sequence[frozenset[str]]
    figures: NDArray[np.bool_]
    figure: bool

    @classmethod
    def read(
        cls,
        query: Query,
        question: EncodedQuestion,
        paper: Paper,
        interaction: Interaction,
        sentences: Sequence[Sentence],
        index: Segments,
    ) -> Meeting:
        """Of the question as understood, and its topic encoded, with a paper."""
        names = _names_said(query, paper)
        words = [word for word in question.words if word.text.casefold() not in names] or list(question.words)
        rarity = np.array([max((index.idf(stem) for stem in word.stems), default=0.0) for word in words]) + 1e-6
        stems = [frozenset(sentence.stems) for sentence in sentences]
        thing = {word.casefold() for word in WORD.findall(thing_asked(query.question))}
        return cls(
            words,
            rarity / rarity.sum() if words else rarity,
            _met_by_sentence(words, interaction, stems),
            [at for at, word in enumerate(words) if word.text.casefold() in thing],
            stems,
            has_figure(sentences),
            asks_figure(query.question),
        )


def has_figure(sentences: Sequence[Sentence]) -> NDArray[np.bool_]:
    """Which sentences have a figure."""
    return np.array([sentence.figure for sentence in sentences], dtype=bool)


def match(query: Query, paper: Paper, interaction: Interaction, index: Segments, meeting: Meeting) -> Match:
    """How the words of the paper meet those of the question."""
    words, rarity, each, wanted = meeting.words, meeting.rarity, meeting.each, meeting.wanted
    if not words:
        return Match(named=float(bool(query.names)))
    title = readable(paper.title)
    stems = frozenset().union(*meeting.stems, terms(title))
    weights = np.array([word.weight for word in words]) + 1e-6
    whole = _met(words, interaction.cosines.max(axis=0, initial=0.0)[None], [stems])[0]
    best = int(np.argmax(each @ weights)) if len(each) else -1
    single = each[best] if best >= 0 else np.zeros(len(words))
    own = meeting.stems[best] if best >= 0 else frozenset[str]()
    figure, figures = meeting.figure, meeting.figures
    return Match(
        words=float(whole @ rarity),
        sentence=float(single @ rarity),
        least=_lowest(whole),
        least_sentence=_lowest(single),
        verbatim=float(rarity @ np.array([word.stems <= stems for word in words])),
        verbatim_sentence=float(rarity @ np.array([word.stems <= own for word in words])),
        unknown=float(
            np.array([not any(index.df(stem) for stem in word.stems) for word in words]) @ weights / weights.sum()
        ),
        no_figure=float(figure and not (best >= 0 and figures[best])),
        thing=float(whole[wanted].mean()) if wanted else 1.0,
        thing_figure=_thing_and_figure(each[:, wanted], figures, figure) if wanted and len(each) else 1.0,
        strangers=_strangers([word.text for word in words if _is_name(word.text, query.question)], paper),
        named=float(bool(query.names)),
    )


def _strangers(names: Sequence[str], paper: Paper) -> float:
    """How many of these names the paper does not have, at most 2."""
    if not names:
        return 0.0
    text = f"{readable(paper.title)} {readable(paper.abstract)}".casefold()
    return float(min(2, sum(name.casefold() not in text for name in names)))


def _names_said(query: Query, paper: Paper) -> set[str]:
    """Words that only say which paper is meant."""
    said = [name.name for name in query.names]
    if query.names and not any(said):
        said = [paper.title.partition(": ")[0]]
    return {word.casefold() for name in said for word in WORD.findall(name)}


def _met(
    words: Sequence[QuestionWord], cosines: NDArray[np.float32], stems: Sequence[frozenset[str]]
) -> NDArray[np.float64]:
    """Texts x words: 1 where a text has the word's stems, else the mean over its pieces of the best cosine.

    Args:
        words: of the question.
        cosines: texts x question pieces.
        stems: of each text.
    """
    pieces = np.zeros((cosines.shape[1], len(words)))
    for at, word in enumerate(words):
        pieces[list(word.rows), at] = 1 / len(word.rows)
    verbatim = np.array([[word.stems <= own for word in words] for own in stems], dtype=bool).reshape(
        len(cosines), len(words)
    )
    return np.where(verbatim, 1.0, cosines @ pieces)


def _met_by_sentence(
    words: Sequence[QuestionWord], interaction: Interaction, stems: Sequence[frozenset[str]]
) -> NDArray[np.float64]:
    """How well each sentence meets each word (sentences x words)."""
    best = np.zeros((len(stems), interaction.cosines.shape[1]), dtype=np.float32)
    for number, own in zip(interaction.sentences, interaction.cosines, strict=True):
        if 0 <= number < len(stems):
            best[number] = np.maximum(best[number], own)
    return _met(words, best, stems)


def _lowest(met: NDArray[np.float64]) -> float:
    """The mean of the third of the words that are met worst."""
    return float(np.sort(met)[: max(1, len(met) // 3)].mean())


def _thing_and_figure(met: NDArray[np.float64], figures: NDArray[np.bool_], figure: bool) -> float:
    """How well one sentence has the thing asked for; half where a figure is wanted and the sentence has none."""
    worth = np.where(figures, 1.0, 0.5) if figure else np.ones(len(met))
    return float((met.mean(axis=1) * worth).max())


def _is_name(word: str, question: str) -> bool:
    return looks_like_name(word) or (word[0].isupper() and not question.strip().startswith(word))
