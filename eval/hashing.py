"""Content hashes of files, code and values: what is kept from run to run is found by what it is, not by its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LENGTH = 16


def hash_values(*values: Any) -> str:
    """Of JSON values; anything else counts as it is printed."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def hash_files(paths: Iterable[Path]) -> str:
    """Of the files' bytes, in the order given; their names have no part in it."""
    return hash_values([hash_file(path) for path in paths])


def hash_file(path: Path) -> str:
    """Of one file, read again only when its size or time has changed.

    Raises:
        OSError: it cannot be read.
    """
    stat = path.stat()
    return _hash_file(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_file(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:LENGTH]


def hash_named(name: str) -> str:
    """`KIND:` and the hash of its files for a model named `KIND:FOLDER`; any other name as it is, for no more is known of it."""
    kind, _, place = name.partition(":")
    folder = Path(place)
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if place and folder.is_dir() else []
    return f"{kind}:{hash_files(files)}" if files else name


def hash_code(*parts: str) -> str:
    """Of the Python files and prompts below these folders of the program, with their places in it."""
    found = [path for part in parts for path in (ROOT / part).rglob("*.md" if part == "prompts" else "*.py")]
    return hash_values([(str(path.relative_to(ROOT)), hash_file(path)) for path in sorted(found)])
