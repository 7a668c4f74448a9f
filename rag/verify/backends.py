"""Which checker gives the verdicts: our own, or an NLI or language model in its place, chosen by `ATTEST_CHECKER`.

What they share stays ours: a verbatim quote is supported without asking, the quote is the nearest sentence, and the reason
is what our own reading can point at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag.answer.models import open_model
from rag.errors import ModelError, UsageError
from rag.ingest.repair import readable
from rag.types import Check, Verdict
from rag.verify.checker import THRESHOLD, Checker, verbatim
from rag.verify.opinion import Backend, Opinion
from rag.verify.prepared import LONGEST_SOURCE, Prepared

if TYPE_CHECKING:
    from rag.answer.language_model import LanguageModel
    from rag.config import Settings
    from rag.index.embed import Embedder

# What a kind of model needs: packages, and the extra that brings them.
_NEEDS = {"nli": ("torch transformers", "hf"), "hf": ("torch transformers", "hf"), "openai": ("openai", "llm")}
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class SupportChecker(Protocol):
    """What gives verdicts, deterministic or not. Threads share one.

    Each method is described where `Checker` has it. What cannot be checked is `unchecked`, with the reason.
    """

    def check(self, claim: str, source: str) -> Check: ...

    def check_all(self, pairs: Sequence[tuple[str, str]]) -> list[Check]: ...

    def prepare(self, source: str) -> Prepared: ...

    def check_prepared(self, claim: str, sources: Sequence[Prepared]) -> list[Check]: ...


class BackedChecker:
    """The verdicts of a back end; quote and reason of our own reading. A back end that fails leaves a claim unchecked."""

    def __init__(self, own: Checker, backend: Backend) -> None:
        self._own, self._backend = own, backend

    def check(self, claim: str, source: str) -> Check:
        """As `Checker.check`."""
        return self.check_all([(claim, source)])[0]

    def check_all(self, pairs: Sequence[tuple[str, str]]) -> list[Check]:
        """As `Checker.check_all`; the back end is asked once."""
        stored = [(claim, source[:LONGEST_SOURCE]) for claim, source in pairs]
        return self._decided(stored, self._own.check_all(stored))

    def prepare(self, source: str) -> Prepared:
        """As `Checker.prepare`."""
        return self._own.prepare(source)

    def check_prepared(self, claim: str, sources: Sequence[Prepared]) -> list[Check]:
        """As `Checker.check_prepared`; the back end is asked once."""
        return self._decided([(claim, source.text) for source in sources], self._own.check_prepared(claim, sources))

    def _decided(self, pairs: Sequence[tuple[str, str]], read: Sequence[Check]) -> list[Check]:
        left = [
            None
            if check.verdict is Verdict.UNCHECKED or verbatim(claim, source)
            else (readable(claim), readable(source))
            for (claim, source), check in zip(pairs, read, strict=True)
        ]
        asked = list(dict.fromkeys(pair for pair in left if pair))
        opinions = dict(zip(asked, self._backend.ask(asked), strict=True)) if asked else {}
        return [self._verdict(opinions[pair], check) if pair else check for pair, check in zip(left, read, strict=True)]

    def _verdict(self, opinion: Opinion, read: Check) -> Check:
        if opinion.supported is None:
            return replace(read, verdict=Verdict.UNCHECKED, score=0.0, reason=opinion.why)
        verdict, reason = Verdict.UNSUPPORTED, f"the source does not say this, says {self._backend.name}"
        if opinion.supported >= THRESHOLD:
            verdict, reason = Verdict.SUPPORTED, ""
        elif opinion.contradicted >= THRESHOLD:
            verdict, reason = Verdict.CONTRADICTED, f"the source says otherwise, says {self._backend.name}"
        told = read.reason if read.verdict is verdict else reason
        return replace(read, verdict=verdict, score=opinion.supported, reason=told)


def open_backend(settings: Settings, model: LanguageModel | None = None) -> Backend | None:
    """The back end that the settings name; None where our own checker decides. Nothing heavy is loaded yet.

    Args:
        model: the language model to ask, where one is open already; that of the settings when None.

    Raises:
        UsageError: a language model is to judge, and none is set.
        ModelError: a package or a folder that the back end needs is not there.
    """
    if settings.checker.startswith("nli:"):
        place = _place_of(settings.checker, settings)
        from rag.verify.nli import open_nli

        return open_nli(str(Path(place).resolve()) if Path(place).is_dir() else place)
    if settings.checker == "llm":
        if model is None and settings.llm is None:
            raise UsageError(
                "ATTEST_CHECKER is llm, and there is no language model to ask",
                hint="set ATTEST_LLM to openai:MODEL or hf:PATH, or unset ATTEST_CHECKER",
            )
        model = model or open_model(settings.llm, settings)
        if settings.llm:
            _place_of(settings.llm, settings)
        from rag.verify.llm_judge import LanguageModelJudge

        return LanguageModelJudge(model, settings.llm_timeout)
    return None


def _place_of(named: str, settings: Settings) -> str:
    """The folder or name in `KIND:PLACE`.

    Raises:
        ModelError: a package is missing, or a model that should be in a folder.
    """
    kind, place = (part.strip() for part in named.split(":", 1))
    checker, (packages, extra) = settings.checker, _NEEDS[kind]
    missing = [package for package in packages.split() if find_spec(package) is None]
    if missing:
        raise ModelError(
            f"the checker {checker} needs {' and '.join(missing)}, which is not installed",
            hint=f"pip install 'attest[{extra}]', or unset ATTEST_CHECKER",
        )
    if (
        kind != "openai"
        and not (Path(place) / "config.json").is_file()
        and (Path(place).exists() or not _HUB_NAME.fullmatch(place))
    ):
        raise ModelError(
            f"the checker {checker} needs a model, and there is none in {place}",
            hint="give a folder with config.json and weights, or a model's name on the hub",
        )
    return place


def open_checker(
    settings: Settings, embedder: Embedder | None = None, backend: Backend | None = None
) -> SupportChecker:
    """The checker that the settings name. A back end that is open already saves opening it.

    Raises:
        UsageError, ModelError: as of `open_backend`.
    """
    backend = backend or open_backend(settings)
    own = Checker.from_settings(settings, embedder)
    return BackedChecker(own, backend) if backend else own


@cache
def _default_checker() -> SupportChecker:
    from rag.config import settings

    return open_checker(settings())


def check(claim: str, source: str, *, settings: Settings | None = None) -> Check:
    """Check one claim against one source text.

    Args:
        claim: a sentence.
        source: the text that should support it, for instance an abstract.
        settings: other than those of the environment.

    Returns:
        Verdict, probability that people would call the claim supported, and the nearest sentence:
        `source[start:end] == quote`.

    Raises:
        UsageError, ModelError: as of `open_backend`.
    """
    checker = open_checker(settings) if settings else _default_checker()
    return checker.check(claim, source)
