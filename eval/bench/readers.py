"""What writing costs those who read: `python -m eval.bench.readers`.

Eight threads search a shelf of the starter papers, first alone and then while half of the papers are stored in changed words, again
and again; prints the 95th percentile of a search in both, in milliseconds, and their ratio (asked: at most 3).
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from eval.cases import DATASETS, read_cases
from rag.assistant import Assistant

READERS, SECONDS = 8, 15.0


def main() -> int:
    """Measure and print."""
    questions = [case.question for case in read_cases(DATASETS / "questions.jsonl")]
    with tempfile.TemporaryDirectory() as folder, Assistant.open(Path(folder) / "shelf") as assistant:
        assistant.ingest(["starter:"])
        papers = [paper for _, paper in assistant.shelf.ledger.all_papers()][::2]
        versions = 0

        def write(over: Callable[[], bool]) -> None:
            nonlocal versions
            while not over():
                versions += 1
                changed = [replace(paper, abstract=f"{paper.abstract} Version {versions}.") for paper in papers]
                assistant.shelf.put(changed)
                assistant.shelf.refresh()

        _searches(assistant, questions, None)  # warm
        idle = _searches(assistant, questions, None)
        busy = _searches(assistant, questions, write)
    print(
        f"{READERS} readers: p95 {idle:.0f} ms idle, {busy:.0f} ms during {versions} writes of {len(papers)} papers: {busy / idle:.1f} times"
    )
    return 0


def _searches(assistant: Assistant, questions: list[str], writer: Callable[[Callable[[], bool]], None] | None) -> float:
    """The 95th percentile of the milliseconds of a search, all readers at once, beside a writer."""
    end = time.perf_counter() + SECONDS
    taken: list[float] = []

    def over() -> bool:
        return time.perf_counter() > end

    def read(first: int) -> None:
        at = first
        while not over():
            began = time.perf_counter()
            assistant.search(questions[at % len(questions)])
            taken.append(1000 * (time.perf_counter() - began))
            at += READERS

    threads = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    threads += [threading.Thread(target=writer, args=(over,))] if writer else []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return float(np.percentile(taken, 95))


if __name__ == "__main__":
    raise SystemExit(main())
