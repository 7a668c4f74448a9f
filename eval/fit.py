"""Fits the weights in `rag/retrieve/cut.py` and `spans.py` on the development questions: `python -m eval.fit [FOLDER OF THE SAVED PAGES]`.

Prints them, with what they give on questions they were not fitted on (cross-validation by question).
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval import intervals, metrics
from eval.cases import DATASETS, Case, read_cases
from eval.matching import said
from rag.assistant import Assistant
from rag.ingest.sentences import split_sentences
from rag.question import to_turns
from rag.retrieve.context import understand
from rag.retrieve.cut import (
    ANSWERABLE,
    ANSWERABLE_NAMED,
    RELEVANCE,
    answerable_features,
    expected_best,
    relevance_features,
)
from rag.retrieve.evidence import named_evidence, search_pool
from rag.retrieve.retriever import Retriever
from rag.retrieve.spans import CHOICE
from rag.types import Query, Shape

RIDGE = 0.01
FOLDS = 10

Array = NDArray[np.float64]
Understood = Callable[[Case, str], Query]


def fit(features: Array, labels: Array) -> tuple[Array, float]:
    """Logistic regression with a ridge on standardised features, by Newton's method: weights and bias."""
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    inputs = np.c_[(features - mean) / spread, np.ones(len(features))]
    weights = np.zeros(inputs.shape[1])
    penalty = np.r_[np.full(len(weights) - 1, RIDGE * len(features)), 0.0]
    for _ in range(50):
        p = 1 / (1 + np.exp(-inputs @ weights))
        hessian = inputs.T @ (inputs * (p * (1 - p) + 1e-6)[:, None]) + np.diag(penalty)
        weights += np.linalg.solve(hessian, inputs.T @ (labels - p) - penalty * weights)
    scaled = weights[:-1] / spread
    return scaled, float(weights[-1] - scaled @ mean)


def held_out(groups: Sequence[Array], labels: Sequence[Array]) -> list[Array]:
    """For each question's rows the probabilities from weights fitted without it (and its fold)."""
    found: list[Array] = []
    for at, rows in enumerate(groups):
        others = [other for other in range(len(groups)) if other % FOLDS != at % FOLDS]
        weights, bias = fit(np.concatenate([groups[o] for o in others]), np.concatenate([labels[o] for o in others]))
        found.append(1 / (1 + np.exp(-(rows @ weights + bias))))
    return found


@dataclass(frozen=True, slots=True)
class Rows:
    """Features (candidates x features) and labels of one question's candidates."""

    features: Array
    labels: Array
    ids: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One way to put a question to the shelf, the features of its best paper, and whether that answers."""

    way: str  # "answerable", "unanswerable", "without gold", "other name"
    question: str
    named: bool
    features: dict[str, float]
    right: bool


def relevance_rows(cases: Sequence[Case], understood: Understood, retriever: Retriever) -> Iterator[Rows]:
    """The cut of lists: papers of each pool, labelled by the gold."""
    for case in cases:
        query = understood(case, case.question)
        if case.kind == "list" and query.topic and query.shape is Shape.LIST:
            pool = search_pool(query, retriever)
            features = np.array([list(relevance_features(item, pool).values()) for item in pool])
            labels = np.array([item.paper.id in case.papers for item in pool], dtype=np.float64)
            yield Rows(features, labels, tuple(item.paper.id for item in pool), case.papers)


def asked(cases: Sequence[Case], understood: Understood, retriever: Retriever, names: Sequence[str]) -> Iterator[Asked]:
    """Abstention: each question as it is, without its gold papers, and asked of three other papers by name."""
    chance = random.Random(intervals.SEED)
    for case in cases:
        if case.kind == "metadata":
            continue
        query = understood(case, case.question)
        way = "unanswerable" if case.kind == "unanswerable" else "answerable"
        ways = [(way, query)]
        if way == "answerable" and not query.names:
            ways.append(("without gold", replace(query, excluded=case.papers)))
        name = query.names[0].name if query.names else ""
        if case.kind == "fact" and name and name in case.question:
            others = [other for other in chance.sample(list(names), 4) if other != name][:3]
            ways += [("other name", understood(case, case.question.replace(name, other))) for other in others]
        for way, read in ways:
            named = named_evidence(read, retriever)
            if read.missing or not read.topic or read.carried or (read.shape is Shape.COMPARE and len(named) > 1):
                continue
            pool = search_pool(read, retriever)
            best = max(named or pool, key=lambda item: item.score)
            right = way == "answerable" and best.paper.id in case.papers
            yield Asked(way, case.id, bool(read.names), answerable_features(best, pool), right)


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of a paper that holds the answer: features (sentences x features), and which are the gold."""

    question: str
    features: Array
    gold: tuple[int, ...]


def sentence_rows(cases: Sequence[Case], understood: Understood, retriever: Retriever) -> Iterator[Sentences]:
    """The gold papers of questions that want one thing: the sentence of the evidence, or those with the answer's words."""
    for case in cases:
        query = understood(case, case.question)
        if case.kind not in ("fact", "compare", "follow-up") or not query.topic or query.missing:
            continue
        for paper_id, paper in retriever.papers(case.papers).items():
            sentences = [paper.abstract[start:end] for start, end in split_sentences(paper.abstract)]
            quotes = [quote for key, quote in case.evidence if key == paper_id]
            gold = [
                at
                for at, text in enumerate(sentences)
                if any(quote in text or text in quote for quote in quotes)
                or (not case.evidence and any(said(answer, text) for answer in case.answers))
            ]
            if 0 < len(gold) <= 2:
                features = retriever.sentence_features(query, paper)
                yield Sentences(case.id, np.stack([features[name] for name in CHOICE], axis=1), tuple(gold))


def fit_choice(rows: Sequence[Sentences], ridge: float = 5.0, steps: int = 300) -> Array:
    """Softmax regression within each paper, the gold sentences sharing the target, by Adam (Kingma and Ba, 2015)."""
    spread = np.concatenate([row.features for row in rows]).std(axis=0) + 1e-9
    weights, mean, square = (np.zeros(len(spread)) for _ in range(3))
    for step in range(1, steps + 1):
        slope = -ridge * weights
        for row in rows:
            inputs = row.features / spread
            logits = inputs @ weights
            odds = np.exp(logits - logits.max())
            target = np.zeros(len(inputs))
            target[list(row.gold)] = 1 / len(row.gold)
            slope += inputs.T @ (target - odds / odds.sum())
        slope /= len(rows)
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        weights = weights + 0.03 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return np.asarray(weights / spread)


def fit_sentences(rows: Sequence[Sentences]) -> None:
    questions = sorted({row.question for row in rows})
    fold = {question: at % FOLDS for at, question in enumerate(questions)}
    hits = []
    for at in range(FOLDS):
        weights = fit_choice([row for row in rows if fold[row.question] != at])
        for row in (row for row in rows if fold[row.question] == at):
            order = np.argsort(-(row.features @ weights), kind="stable").tolist()
            hits.append([bool(set(order[:count]) & set(row.gold)) for count in (1, 2, 3)])
    print("sentences: first, among two, among three", np.mean(hits, axis=0).round(3).tolist(), len(rows))
    print("CHOICE =", dict(zip(CHOICE, fit_choice(rows).round(2).tolist(), strict=True)))


def fit_relevance(rows: Sequence[Rows]) -> None:
    odds = held_out([row.features for row in rows], [row.labels for row in rows])
    kept = [[row.ids[at] for at in expected_best(own)] for row, own in zip(rows, odds, strict=True)]
    scores = [metrics.precision_recall_f1(found, row.gold)[2] for found, row in zip(kept, rows, strict=True)]
    print(f"lists: F1 {intervals.estimate(scores)}")
    weights, bias = fit(np.concatenate([row.features for row in rows]), np.concatenate([row.labels for row in rows]))
    print("RELEVANCE =", dict(zip(RELEVANCE, weights.round(2).tolist(), strict=True)))
    print("RELEVANCE_BIAS =", round(bias, 2))


def fit_answerable(rows: Sequence[Asked], chosen: Sequence[str], label: str) -> None:
    questions = sorted({row.question for row in rows})
    groups = [[row for row in rows if row.question == question] for question in questions]
    features = [np.array([[row.features[name] for name in chosen] for row in group]) for group in groups]
    labels = [np.array([float(row.right) for row in group]) for group in groups]
    odds = np.concatenate(held_out(features, labels))
    ordered = [row for group in groups for row in group]
    truth = np.concatenate(labels)
    weights, bias = fit(np.concatenate(features), truth)
    fitted = 1 / (1 + np.exp(-(np.concatenate(features) @ weights + bias)))
    print(f"{label}: AUROC {metrics.auroc(truth.astype(int).tolist(), odds.tolist()):.3f}")
    answerable = np.array([row.way == "answerable" for row in ordered])
    for refused in (0.02, 0.04, 0.06, 0.08, 0.1):
        threshold = np.quantile(odds[answerable], refused)
        caught = [
            f"{np.mean(odds[chosen_rows] < threshold):.2f} of {way}"
            for way in ("unanswerable", "without gold", "other name")
            if (chosen_rows := np.array([row.way == way for row in ordered])).any()
        ]
        print(f"  {refused:.0%} refused: {', '.join(caught)}; threshold {np.quantile(fitted[answerable], refused):.3f}")
    print(f"{label} =", dict(zip(chosen, weights.round(2).tolist(), strict=True)))
    print(f"{label}_BIAS =", round(bias, 2))


def main() -> int:
    """Fit both on the starter shelf and, where the pages are given as an argument, on them with their own questions."""
    sets = [(DATASETS / "papers.jsonl", "questions.jsonl")]
    sets += [(Path(pages), "raw_dev_questions.jsonl") for pages in sys.argv[1:]]
    relevance, answerable, sentences = list[Rows](), list[Asked](), list[Sentences]()
    for source, questions in sets:
        with tempfile.TemporaryDirectory() as folder, Assistant.open(folder) as assistant:
            assistant.ingest([source])
            shelf, retriever = assistant.shelf, Retriever(assistant.shelf)

            def understood(case: Case, question: str, assistant: Assistant = assistant) -> Query:
                return understand(question, assistant.shelf, to_turns(case.history, assistant.shelf))[0]

            cases = read_cases(DATASETS / questions)
            titles = [paper.title.partition(":")[0] for _, paper in shelf.ledger.all_papers() if ":" in paper.title]
            names = [title for title in titles if len(title.split()) <= 2]
            relevance += relevance_rows(cases, understood, retriever)
            answerable += asked(cases, understood, retriever, names)
            sentences += sentence_rows(cases, understood, retriever)
    fit_sentences(sentences)
    fit_relevance(relevance)
    fit_answerable([row for row in answerable if not row.named], list(ANSWERABLE), "ANSWERABLE")
    fit_answerable([row for row in answerable if row.named], list(ANSWERABLE_NAMED), "ANSWERABLE_NAMED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
