"""What can be done with a run, beside making one."""

from __future__ import annotations

from collections.abc import Sequence

COMMANDS: dict[str, str] = {}
USAGE = ""


def main(argv: Sequence[str]) -> int:
    return 0
