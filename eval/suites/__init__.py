"""The suites, by name: each yields batches of tasks, and what a batch needs stays open until it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eval.record import Task
from eval.suites.answers import answers
from eval.suites.grounding import grounding
from eval.suites.health import health
from eval.suites.injection import injection
from eval.suites.interventions import interventions
from eval.suites.options import Options
from eval.suites.retrieval import retrieval
from eval.suites.robustness import robustness

SUITES: dict[str, Callable[[Options], Iterator[list[Task]]]] = {
    "answers": answers,
    "retrieval": retrieval,
    "grounding": grounding,
    "robustness": robustness,
    "interventions": interventions,
    "injection": injection,
    "health": health,
}
