"""A word on the terminal while indexes are made: at a million passages that takes minutes."""

from __future__ import annotations

from typing import Any


def waiting(what: str, unit: str) -> Any:
    """A progress bar for what may be done at once or take long: only on a terminal, and only after two seconds."""
    from tqdm import tqdm

    return tqdm(desc=f"indexing {what}", unit=unit, unit_scale=True, delay=2, leave=False, disable=None)
