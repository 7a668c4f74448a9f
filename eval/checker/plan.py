"""Which claims are read together, in what order: batches of rows of similar length."""

from __future__ import annotations

import random
from collections.abc import Sequence

from eval.checker.data import Group

# Word pieces of a batch, padding included, and of a row.
BATCH, ROW = 4_096, 480
# Claims of a row, and word pieces reckoned for each.
MOST_CLAIMS, CLAIM = 14, 28
STEP = 32  # lengths are padded to multiples of it (`eval/checker/encoder.py` says why)

# A group, and which of its claims stand in the row.
Row = tuple[Group, tuple[int, ...]]


def row_length(row: Row) -> int:
    """Word pieces of a row with [CLS] and [SEP] around each text."""
    group, chosen = row
    return len(group.pieces) + 2 + sum(len(group.claims[at].pieces) + 2 for at in chosen)


def padded(length: int) -> int:
    return -(-length // STEP) * STEP


def rows(groups: Sequence[Group], chance: random.Random | None) -> list[Row]:
    """Every claim once, with as many others of its group as a row has room for; shuffled by `chance`."""
    found = []
    for group in groups:
        order = list(range(len(group.claims)))
        if chance:
            chance.shuffle(order)
        room = max(1, min(MOST_CLAIMS, (ROW - len(group.pieces) - 2) // CLAIM))
        found += [(group, tuple(order[at : at + room])) for at in range(0, len(order), room)]
    return found


def batches(groups: Sequence[Group], chance: random.Random | None = None, limit: int = BATCH) -> list[list[Row]]:
    """Rows in batches of at most `limit` word pieces (a longer row alone), batches shuffled by `chance`."""
    ordered = [(row_length(row) * (1 + 0.1 * chance.random() if chance else 1), row) for row in rows(groups, chance)]
    ordered.sort(key=lambda pair: pair[0])
    found: list[list[Row]] = []
    longest = 0
    for _, row in ordered:
        longest = max(longest, padded(row_length(row)))
        if not found or longest * (len(found[-1]) + 1) > limit:
            found.append([])
            longest = padded(row_length(row))
        found[-1].append(row)
    if chance:
        chance.shuffle(found)
    return found
