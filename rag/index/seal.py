"""What a folder of another program's files held when it was last closed, for as long as nobody has touched them since."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Seal:
    """How many passages there are, and up to which revision of which ledger they follow it."""

    ledger: str
    revision: int
    count: int


def read_seal(folder: Path) -> Seal | None:
    """What `write_seal` noted, or None where there is none or a file's name, size or time of change differs."""
    try:
        stored = json.loads(_path(folder).read_text(encoding="utf-8"))
        return Seal(**stored["seal"]) if stored["files"] == _files(folder) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_seal(folder: Path, seal: Seal) -> None:
    """Note what a folder holds that was closed just now."""
    part = _path(folder).with_suffix(".part")
    part.write_text(json.dumps({"seal": asdict(seal), "files": _files(folder)}), encoding="utf-8")
    part.replace(_path(folder))


def break_seal(folder: Path) -> None:
    """Forget what was noted: the folder is about to be opened."""
    _path(folder).unlink(missing_ok=True)


def _path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _files(folder: Path) -> list[list[str | int]]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [[path.relative_to(folder).as_posix(), (stat := path.stat()).st_size, stat.st_mtime_ns] for path in found]
