"""Which judge is meant: `checker`, `nli:FOLDER`, or a language model by the name that `--llm` takes."""

from __future__ import annotations

from pathlib import Path

from eval.judges.checker import NAME, CheckerJudge
from eval.judges.judge import Judge
from eval.judges.language_model import LanguageModelJudge
from eval.judges.memory import Remembering
from eval.judges.nli import NliJudge
from rag.config import settings
from rag.errors import UsageError


def open_judge(name: str) -> Judge:
    """The judge of this name.

    Raises:
        UsageError: it names no judge.
    """
    if name == NAME:
        return CheckerJudge()
    kind, _, rest = name.partition(":")
    if kind == "nli" and rest:
        return Remembering(NliJudge(Path(rest)), settings().cache_dir)
    if kind in ("openai", "hf") and rest:
        return Remembering(LanguageModelJudge.named(name), settings().cache_dir)
    raise UsageError(f"{name!r} names no judge", hint="give checker, nli:FOLDER, openai:MODEL or hf:PATH")
