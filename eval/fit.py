"""Fits the weights in `rag/retrieve/evidence.py` on the development questions: `python -m eval.fit`.

Prints them, with what they give on questions they were not fitted on (cross-validation by question).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eval import metrics
from eval.cases import DATASETS, Case, read_cases
from rag.assistant import Assistant
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


def relevance_rows(cases: Sequence[Case], understood: Callable[[Case], Query], retriever: Retriever) -> None:
    """The cut of lists: papers of each pool, labelled by the gold."""
    groups, labels, ids, golds = [], [], [], []
    for case in cases:
        query = understood(case)
        if case.kind != "list" or not query.topic:
            continue
        pool = search_pool(query, retriever)
        groups.append(np.array([relevance_features(item, pool) for item in pool]))
        labels.append(np.array([item.paper.id in case.papers for item in pool], dtype=np.float64))
        ids.append([item.paper.id for item in pool])
        golds.append(case.papers)
    for threshold in (0.3, 0.35, 0.4, 0.45):
        scores = [
            metrics.precision_recall_f1(
                [key for key, p in zip(own, odds, strict=True) if p >= threshold] or own[:1], gold
            )[2]
            for own, odds, gold in zip(ids, held_out(groups, labels), golds, strict=True)
        ]
        print(f"lists, threshold {threshold}: F1 {metrics.estimate(scores)}")
    weights, bias = fit(np.concatenate(groups), np.concatenate(labels))
    print("RELEVANCE =", tuple(weights.round(2).tolist()), "\nRELEVANCE_BIAS =", round(bias, 2))


def answerable_rows(cases: Sequence[Case], understood: Callable[[Case], Query], retriever: Retriever) -> None:
    """Abstention: the best paper of each question, and of each answerable one without its gold papers."""
    groups, labels, real = [], [], []
    for case in cases:
        query = understood(case)
        if case.history or query.missing or not query.topic or query.filters:
            continue
        ways = [query] if case.kind == "unanswerable" else [query, replace(query, excluded=case.papers)]
        best = [max(search_pool(way, retriever), key=lambda item: item.score) for way in ways]
        groups.append(np.array([answerable_features(query, item, retriever) for item in best]))
        labels.append(np.array([case.kind != "unanswerable", *[False] * (len(ways) - 1)], dtype=np.float64))
        real.append(np.array([True, *[False] * (len(ways) - 1)]))
    odds, truth, is_real = np.concatenate(held_out(groups, labels)), np.concatenate(labels), np.concatenate(real)
    threshold = np.quantile(odds[truth == 1], REFUSED)
    print(
        f"abstention: AUROC {metrics.auroc(truth.astype(int).tolist(), odds.tolist()):.3f}; at {REFUSED:.0%} refused catches",
        end=" ",
    )
    print(
        f"{(odds[(truth == 0) & is_real] < threshold).mean():.2f} of the unanswerable, {(odds[~is_real] < threshold).mean():.2f} of those without gold"
    )
    weights, bias = fit(np.concatenate(groups), np.concatenate(labels))
    fitted = 1 / (1 + np.exp(-(np.concatenate(groups) @ weights + bias)))
    print("ANSWERABLE =", tuple(weights.round(2).tolist()), "\nANSWERABLE_BIAS =", round(bias, 2))
    print("ANSWERABLE_THRESHOLD =", round(float(np.quantile(fitted[truth == 1], REFUSED)), 3))


def main() -> int:
    """Fit both on a shelf of the starter papers."""
    cases = read_cases(DATASETS / "questions.jsonl")
    with tempfile.TemporaryDirectory() as folder, Assistant.open(folder) as assistant:
        assistant.ingest([DATASETS / "papers.jsonl"])
        shelf = assistant.shelf

        def understood(case: Case) -> Query:
            return understand(case.question, shelf.ledger, shelf.lexical)[0]

        relevance_rows(cases, understood, Retriever(shelf))
        answerable_rows(cases, understood, Retriever(shelf))
    return 0


if __name__ == "__main__":
    sys.exit(main())
