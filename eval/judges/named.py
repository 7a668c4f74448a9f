"""Which judge is meant: `checker`, `nli:FOLDER_OR_HUB_NAME`, or a language model by the name that `--llm` takes."""

from __future__ import annotations

from eval.judges.backend import BackendJudge
from eval.judges.checker import NAME, CheckerJudge
from eval.judges.judge import Judge
from eval.judges.language_model import LanguageModelJudge
from eval.judges.memory import Remembering
from rag.config import settings
from rag.errors import UsageError
from rag.verify.backends import open_backend


def open_judge(name: str) -> Judge:
    """The judge of this name.

    Raises:
        UsageError: it names no judge.
        ModelError: a package or a folder that an NLI model needs is not there.
    """
    if name == NAME:
        return CheckerJudge()
    kind, _, rest = name.partition(":")
    if kind == "nli" and rest and (backend := open_backend(settings().model_copy(update={"checker": name}))):
        return Remembering(BackendJudge(backend, name), settings().cache_dir)
    if kind in ("openai", "hf") and rest:
        return Remembering(LanguageModelJudge.named(name), settings().cache_dir)
    raise UsageError(f"{name!r} names no judge", hint="give checker, nli:FOLDER_OR_HUB_NAME, openai:MODEL or hf:PATH")
