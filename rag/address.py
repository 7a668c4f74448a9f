"""Where a shelf can be: in a folder, or in a PostgreSQL database."""

from __future__ import annotations

import re
from pathlib import Path

# How the address of a database begins.
DATABASES = ("postgresql://", "postgres://")
_SECRETS = ((r"//[^'\"]*@", "//...@"), (r"(?i)(password=)[^&\s]*", r"\1..."))


def to_address(shelf: str | Path) -> str | Path:
    """The folder of a shelf, or as text the address of its database."""
    return shelf if isinstance(shelf, str) and shelf.startswith(DATABASES) else Path(shelf)


def without_password(text: object) -> str:
    """A text whose addresses, well-formed or not, name no user and no password."""
    shown = str(text)
    for pattern, replacement in _SECRETS:
        shown = re.sub(pattern, replacement, shown)
    return shown
