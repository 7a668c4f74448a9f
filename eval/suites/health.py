"""How much each paper helps or harms the questions that a shelf is validated with: a list to review, worst first.

The value of a paper is its exact Shapley value for the share of right papers among the nearest K, which is an additive
utility: values add up over papers to the utility, and over questions to the value (Jia et al., "Efficient task-specific
data valuation for nearest neighbor algorithms", 2019). Nothing is deleted.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eval import metrics
from eval.cases import Case, read_cases
from eval.checker.pretraining import negated, recounted
from eval.record import Record, Task
from eval.suites.options import Options, open_assistant
from rag.assistant import Assistant
from rag.index.lexical import words
from rag.ingest.sentences import split_sentences
from rag.retrieve.context import understand
from rag.retrieve.retriever import Retriever
from rag.types import Paper, paper_id

K = 5
# Ranks beyond this change a value by less than 1 / DEPTH (theorem 2 of the same paper) and are left out.
DEPTH = 100
PLANTS = 8
PLANTED = ("wrong", "duplicate", "boilerplate")


@dataclass(frozen=True, slots=True)
class Value:
    """A paper's mean value over the questions, and the questions it helps and harms, most first."""

    paper: str
    title: str
    value: float
    helps: tuple[str, ...]
    harms: tuple[str, ...]
    planted: str = ""


def health(options: Options) -> Iterator[list[Task]]:
    """The questions that have gold papers. On the starter shelf, wrong, duplicate and boilerplate papers are planted to
    see that they land at the bottom; a shelf of one's own is left as it is."""
    cases = [case for case in read_cases(options.questions) if case.papers and not case.history][: options.limit]
    with open_assistant(options) as assistant:
        plants = _plant(assistant, cases) if options.shelf is None else {}
        yield [Task("health", case.id, case, partial(_score, case, assistant, plants)) for case in cases]


def _score(case: Case, assistant: Assistant, plants: Mapping[str, str]) -> Record:
    query = understand(case.question, assistant.shelf)[0]
    ranked = Retriever(assistant.shelf).search(query, DEPTH) if query.topic else []
    ids = [item.paper.id for item in ranked]
    if not ids:
        return Record(
            "health", case.id, {}, {"right_of_nearest": "it asks for records alone"}, {"question": case.question}
        )
    values = dict(zip(ids, shapley([key in case.papers for key in ids]), strict=True))
    detail = {
        "kind": case.kind,
        "question": case.question,
        "values": {key: round(value, 6) for key, value in values.items() if abs(value) > 1e-6},
        "titles": {item.paper.id: item.paper.title for item in ranked},
        "planted": {key: plants[key] for key in ids if key in plants},
    }
    return Record("health", case.id, {"right_of_nearest": sum(key in case.papers for key in ids[:K]) / K}, {}, detail)


def shapley(right: Sequence[bool], k: int = K) -> list[float]:
    """The Shapley value of each rank for the share of right ones among the first `k`; they add up to that share."""
    n = len(right)
    values = [0.0] * n
    for at in range(n - 1, -1, -1):
        if at == n - 1:
            values[at] = right[at] * min(k, n) / (k * n)
        else:
            values[at] = values[at + 1] + (right[at] - right[at + 1]) / k * min(k, at + 1) / (at + 1)
    return values


def ranked_values(details: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Value]:
    """Papers from the most harmful to the most helpful, from the details of the records by question."""
    rows = [(key, detail) for key, detail in details if "values" in detail]
    by_paper: dict[str, dict[str, float]] = {}
    titles: dict[str, str] = {}
    planted: dict[str, str] = {}
    for key, detail in rows:
        titles |= detail["titles"]
        planted |= detail["planted"]
        for paper, value in detail["values"].items():
            by_paper.setdefault(paper, {})[key] = value
    found = []
    for paper, values in by_paper.items():
        order = sorted(values, key=lambda key: values[key])
        harms = tuple(key for key in order if values[key] < 0)
        helps = tuple(key for key in reversed(order) if values[key] > 0)
        found.append(
            Value(paper, titles[paper], sum(values.values()) / len(rows), helps, harms, planted.get(paper, ""))
        )
    return sorted(found, key=lambda item: (item.value, item.paper))


def planted_auroc(kind: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> float:
    """How often a planted paper of this kind is worth less than one that is gold for a question."""
    values = ranked_values(rows)
    helpful = [item for item in values if not item.planted and item.helps]
    own = [item for item in values if item.planted == kind]
    return metrics.auroc([1] * len(helpful) + [0] * len(own), [item.value for item in [*helpful, *own]])


def planted_at_bottom(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> float:
    """Share of the planted papers among as many of the lowest values."""
    values = ranked_values(rows)
    count = sum(bool(item.planted) for item in values)
    return sum(bool(item.planted) for item in values[:count]) / count if count else float("nan")


def _plant(assistant: Assistant, cases: Sequence[Case]) -> dict[str, str]:
    """Papers made of the gold ones: with their figures and claims altered, word for word under another title, and
    phrases that say nothing with the words of questions. Their ids, and what they are."""
    chance = random.Random("health")
    gold = sorted({paper for case in cases for paper in case.papers})
    chosen = chance.sample(gold, min(PLANTS, len(gold)))
    papers = assistant.shelf.ledger.papers(chosen)
    asked = [word for case in cases for word in words(case.question) if len(word) > 6]
    made: dict[str, tuple[Paper, str]] = {}
    for at, paper in enumerate(papers[key] for key in chosen if key in papers):
        for kind, title, abstract in (
            ("wrong", f"{paper.title}, Revisited", _altered(paper.abstract, chance)),
            ("duplicate", f"{paper.title} (Preprint)", paper.abstract),
            ("boilerplate", f"Front Matter {at + 1}", boilerplate(chance.sample(asked, min(12, len(asked))))),
        ):
            plant = Paper(paper_id(title), title, abstract)
            made[plant.id] = (plant, kind)
    assistant.shelf.put([plant for plant, _ in made.values()])
    assistant.shelf.refresh()
    return {key: kind for key, (_, kind) in made.items()}


def _altered(abstract: str, chance: random.Random) -> str:
    sentences = [abstract[start:end] for start, end in split_sentences(abstract)]
    return " ".join(recounted(text, chance) or negated(text, chance) or text for text in sentences)


def boilerplate(asked: Sequence[str]) -> str:
    """Phrases that any paper could have, around words that were asked for."""
    few = [", ".join(asked[at : at + 4]) for at in range(0, len(asked), 4)]
    return " ".join(
        f"This work presents recent progress on {some}, and discusses its importance for the community in detail."
        for some in few
    )
