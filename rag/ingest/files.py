"""What a user names - files, folders, globs - as the files to read."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from rag.types import Rejected

# The papers that come with Attest, for a first try.
STARTER = "starter:"
# What to ask of which service, and how many papers to leave out; `rag.ingest.live` asks it.
ADDRESS = re.compile(r"(arxiv|openalex|s2|hf):(?!//)(.+?)(?:#(\d+))?", re.DOTALL)


def is_address(source: str | Path) -> bool:
    """Whether a source is no file but names a service and what to ask it, such as `arxiv:cat:cs.CL`."""
    return bool(ADDRESS.fullmatch(str(source))) and not os.path.exists(source)


def shown(path: str | Path) -> str:
    """A path that can be stored and printed, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def size(path: Path | None) -> int:
    """Bytes of a file; 0 of standard input, and of a file that is gone meanwhile (reading it will say so)."""
    try:
        return path.stat().st_size if path else 0
    except OSError:
        return 0


def find(sources: Sequence[str | Path]) -> tuple[list[Path | None], list[Rejected]]:
    """Files to read (None is standard input), and the sources that are none."""
    files: list[Path | None] = []
    rejected: list[Rejected] = []
    for source in map(str, sources):
        path = Path(source)
        if source == "-":
            files.append(None)
        elif source == STARTER and not os.path.exists(path):
            files.append(Path(str(resources.files("eval").joinpath("datasets", "papers.jsonl"))))
        elif os.path.isdir(path):  # os.path: a name too long is just no file
            inside, refused = _folder(path)
            files += inside
            rejected += refused
        elif os.path.isfile(path) or (os.path.exists(path) and path.is_fifo()):
            files.append(path)
        elif os.path.exists(path):
            rejected.append(Rejected(shown(source), 0, "neither a file nor a folder"))
        elif os.path.islink(path):
            rejected.append(Rejected(shown(source), 0, "a broken link"))
        elif matched := sorted(glob.glob(source, recursive=True)):
            inside, refused = find(matched)
            files += inside
            rejected += refused
        else:
            rejected.append(Rejected(shown(source), 0, "no such file, folder or glob"))
    return files, rejected


def _folder(folder: Path) -> tuple[list[Path | None], list[Rejected]]:
    files: list[Path | None] = []
    rejected: list[Rejected] = []
    root = os.path.realpath(folder)

    def unreadable(error: OSError) -> None:
        rejected.append(Rejected(shown(error.filename), 0, f"cannot be read: {error.strerror}"))

    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=False):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not os.path.exists(Path(parent) / name / "ledger.sqlite")
        )
        for name in sorted(names):
            path = Path(parent) / name
            if name.startswith("."):
                continue
            if not os.path.exists(path) and os.path.islink(path):
                rejected.append(Rejected(shown(path), 0, "a broken link"))
            elif os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(root):
                rejected.append(Rejected(shown(path), 0, "a link out of the folder; name the file itself to read it"))
            elif os.path.isfile(path):
                files.append(path)
    return files, rejected
