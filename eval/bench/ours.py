"""Attest's side of the comparison, through its public interface; run by `side_by_side`, prints one JSON line.

    python -m eval.bench.ours ingest  SHELF FIRST.jsonl DOCS.jsonl
    python -m eval.bench.ours queries SHELF QUERIES.txt

The first answer is asked of `python -m rag ask` itself.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from rag import Assistant

WARM_UP = 3


def ingest(shelf: str, first: str, docs: str) -> dict[str, Any]:
    """Store `docs`; timed from an open shelf with a loaded model, which storing the one paper of `first` leaves behind."""
    with Assistant.open(shelf) as assistant:
        assistant.ingest([first])
        start = time.perf_counter()
        report = assistant.ingest([docs])
        seconds = time.perf_counter() - start
    # ru_maxrss is in kilobytes on Linux.
    return {
        "seconds": seconds,
        "stored": report.new,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def queries(shelf: str, path: str) -> dict[str, Any]:
    """Milliseconds of each search of ten papers, after a few that are not counted."""
    asked = Path(path).read_text(encoding="utf-8").splitlines()
    milliseconds = []
    with Assistant.open(shelf) as assistant:
        for query in asked[:WARM_UP]:
            assistant.search(query, k=10)
        for query in asked:
            start = time.perf_counter()
            found = assistant.search(query, k=10)
            milliseconds.append((time.perf_counter() - start) * 1000)
            if not found:
                raise SystemExit(f"nothing found for {query!r}")
    return {"milliseconds": milliseconds}


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    print(json.dumps(ingest(*paths) if command == "ingest" else queries(*paths)))
