"""Fits the weights in `rag/retrieve/evidence.py` on the development questions: `python -m eval.fit [FOLDER OF THE SAVED PAGES]`.

Prints them, with what they give on questions they were not fitted on (cross-validation by question).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval import metrics
from eval.cases import DATASETS, Case, read_cases
from rag.assistant import Assistant
from rag.index.shelf import Shelf
from rag.retrieve.context import understand
from rag.retrieve.evidence import answerable_features, relevance_features, search_pool
from rag.retrieve.retriever import Retriever
from rag.types import Query

RIDGE = 0.01
FOLDS = 10
REFUSED = 0.04  # share of answerable questions that may be refused

Array = NDArray[np.float64]


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
    """Features and labels of one question's candidates; `real` is false where the gold papers were taken away."""

    features: Array
    labels: Array
    ids: tuple[str, ...] = ()
    gold: tuple[str, ...] = ()
    real: tuple[bool, ...] = ()


def relevance_rows(cases: Sequence[Case], understood: Callable[[Case], Query], retriever: Retriever) -> Iterator[Rows]:
    """The cut of lists: papers of each pool, labelled by the gold."""
    for case in cases:
        query = understood(case)
        if case.kind == "list" and query.topic:
            pool = search_pool(query, retriever)
            features = np.array([relevance_features(item, pool) for item in pool])
            labels = np.array([item.paper.id in case.papers for item in pool], dtype=np.float64)
            yield Rows(features, labels, tuple(item.paper.id for item in pool), case.papers)


def answerable_rows(cases: Sequence[Case], understood: Callable[[Case], Query], retriever: Retriever) -> Iterator[Rows]:
    """Abstention: the best paper of each question, and of each answerable one without its gold papers."""
    for case in cases:
        query = understood(case)
        if case.history or query.missing or not query.topic or query.filters:
            continue
        ways = [query] if case.kind == "unanswerable" else [query, replace(query, excluded=case.papers)]
        best = [max(search_pool(way, retriever), key=lambda item: item.score) for way in ways]
        features = np.array([answerable_features(query, item, retriever) for item in best])
        labels = np.array([case.kind != "unanswerable", *[False] * (len(ways) - 1)], dtype=np.float64)
        yield Rows(features, labels, real=(True, *[False] * (len(ways) - 1)))


def fit_relevance(rows: Sequence[Rows]) -> None:
    odds = held_out([row.features for row in rows], [row.labels for row in rows])
    for threshold in (0.25, 0.3, 0.35, 0.4, 0.45):
        kept = [
            [key for key, p in zip(row.ids, own, strict=True) if p >= threshold] or row.ids[:1]
            for row, own in zip(rows, odds, strict=True)
        ]
        scores = [metrics.precision_recall_f1(found, row.gold)[2] for found, row in zip(kept, rows, strict=True)]
        print(f"lists, threshold {threshold}: F1 {metrics.estimate(scores)}")
    weights, bias = fit(np.concatenate([row.features for row in rows]), np.concatenate([row.labels for row in rows]))
    print("RELEVANCE =", tuple(weights.round(2).tolist()), "\nRELEVANCE_BIAS =", round(bias, 2))


def fit_answerable(rows: Sequence[Rows]) -> None:
    odds = np.concatenate(held_out([row.features for row in rows], [row.labels for row in rows]))
    features, truth = np.concatenate([row.features for row in rows]), np.concatenate([row.labels for row in rows])
    real = np.array([flag for row in rows for flag in row.real])
    weights, bias = fit(features, truth)
    fitted = 1 / (1 + np.exp(-(features @ weights + bias)))
    print(f"abstention: AUROC {metrics.auroc(truth.astype(int).tolist(), odds.tolist()):.3f}")
    for refused in (0.02, 0.04, 0.06, 0.08):
        threshold = np.quantile(odds[truth == 1], refused)
        caught, without_gold = (odds[(truth == 0) & real] < threshold).mean(), (odds[~real] < threshold).mean()
        print(
            f"{refused:.0%} refused: {caught:.2f} of the unanswerable caught, {without_gold:.2f} of those without gold;",
            end=" ",
        )
        print("ANSWERABLE_THRESHOLD =", round(float(np.quantile(fitted[truth == 1], refused)), 3))
    print("ANSWERABLE =", tuple(weights.round(2).tolist()), "\nANSWERABLE_BIAS =", round(bias, 2))


def main() -> int:
    """Fit both on the starter shelf and, where the pages are given as an argument, on them with their own questions."""
    sets = [(DATASETS / "papers.jsonl", "questions.jsonl")]
    sets += [(Path(pages), "raw_dev_questions.jsonl") for pages in sys.argv[1:]]
    relevance, answerable = list[Rows](), list[Rows]()
    for source, questions in sets:
        with tempfile.TemporaryDirectory() as folder, Assistant.open(folder) as assistant:
            assistant.ingest([source])
            shelf = assistant.shelf

            def understood(case: Case, shelf: Shelf = shelf) -> Query:
                return understand(case.question, shelf.ledger, shelf.lexical)[0]

            cases = read_cases(DATASETS / questions)
            relevance += relevance_rows(cases, understood, Retriever(shelf))
            answerable += answerable_rows(cases, understood, Retriever(shelf))
    fit_relevance(relevance)
    fit_answerable(answerable)
    return 0


if __name__ == "__main__":
    sys.exit(main())
