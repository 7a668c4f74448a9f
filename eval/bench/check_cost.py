"""What checking costs: ten paraphrased sentences over five abstracts, warm (`python -m eval.bench.check_cost`).

Prints the median and 95th percentile of the whole answer's check in milliseconds, abstracts read anew each time.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from eval.cases import own_claims
from rag.config import settings
from rag.verify.checker import Checker

ABSTRACTS, SENTENCES = 5, 10


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args(argv).rounds
    checker = Checker.from_settings(settings())
    by_source = itertools.groupby(sorted(own_claims(), key=lambda item: item.source), key=lambda item: item.source)
    shelf = [(source, [item.claim for item in items]) for source, items in by_source]
    taken = []
    for number in range(rounds + 1):
        answer = [shelf[(number * ABSTRACTS + row) % len(shelf)] for row in range(ABSTRACTS)]
        began = time.perf_counter()
        checker.check_all([(claim, source) for source, claims in answer for claim in claims[: SENTENCES // ABSTRACTS]])
        taken.append(1000 * (time.perf_counter() - began))
    middle, late = np.percentile(taken[1:], [50, 95])  # the first loads the models
    print(f"{SENTENCES} sentences over {ABSTRACTS} abstracts: p50 {middle:.0f} ms, p95 {late:.0f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
