"""What a suite may be told, and the shelf it asks."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eval.cases import DATASETS
from eval.hashing import hash_code, hash_files, hash_values
from eval.judges.checker import CheckerJudge
from eval.judges.judge import Judge
from rag.answer.language_model import LanguageModel
from rag.assistant import Assistant
from rag.config import settings
from rag.errors import UsageError
from rag.index.embed import endpoint_model, model_dir

STARTER = DATASETS / "papers.jsonl"
# What decides how a shelf comes out of its papers.
_MAKERS = ("rag/ingest", "rag/index")


@dataclass(frozen=True, slots=True)
class Options:
    """Data folder, shelf, questions, how many of each set at most; who judges; who judges and who writes."""

    data: Path | None = None
    shelf: str | Path | None = None
    questions: Path = DATASETS / "questions.jsonl"
    limit: int | None = None
    judge: Judge | None = None
    llm: str | LanguageModel | None = None

    @property
    def judged(self) -> Judge:
        """The judge given, or the support checker."""
        return self.judge or CheckerJudge()

    def folder(self) -> Path:
        """The data folder.

        Raises:
            UsageError: none was given.
        """
        if self.data is None:
            raise UsageError("this suite needs data", hint="give --data FOLDER")
        return self.data


@contextlib.contextmanager
def open_assistant(options: Options) -> Iterator[Assistant]:
    """The assistant over the shelf given, or over a copy of the starter shelf.

    Raises:
        ShelfMissing: there is no shelf at the folder given.
    """
    with contextlib.ExitStack() as opened:
        folder = options.shelf or opened.enter_context(starter_copy())
        assistant = opened.enter_context(Assistant.open(folder, llm=options.llm))
        assistant.shelf  # noqa: B018  a missing shelf is said before the first question
        yield assistant


@contextlib.contextmanager
def starter_copy() -> Iterator[Path]:
    """A copy of the starter papers' shelf, which may be changed."""

    def make(folder: Path) -> None:
        with Assistant.open(folder) as assistant:
            assistant.ingest([STARTER])

    with shelf_copy([STARTER], make) as folder:
        yield folder


@contextlib.contextmanager
def shelf_copy(sources: list[Path], make: Callable[[Path], None]) -> Iterator[Path]:
    """A copy of the shelf that `make` makes of these files, kept in the user's cache for the next run.

    The cache goes by content: the files, the encoder's files, the settings and the code that reads and indexes.
    """
    config = settings()
    model = sorted(path for path in model_dir(config).rglob("*") if path.suffix in (".json", ".safetensors"))
    made_with = (config.embedding_precision, config.chroma_text, config.page_year, endpoint_model(config))
    key = hash_values(hash_files(sources), hash_files(model), hash_code(*_MAKERS), made_with)
    kept = config.cache_dir / "eval" / "shelves" / key
    if not kept.is_dir():
        _keep(kept, make)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "shelf"
        shutil.copytree(kept, copy)
        yield copy


def _keep(kept: Path, make: Callable[[Path], None]) -> None:
    """Make the shelf beside its place and move it there whole: who is stopped midway leaves nothing that looks done."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="part-") as folder:
        part = Path(folder) / "shelf"
        make(part)
        with contextlib.suppress(OSError):  # another run was first
            os.replace(part, kept)
