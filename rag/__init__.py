"""Attest: cited, checked answers from a shelf of paper abstracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.config import Settings
    from rag.errors import AttestError
    from rag.types import Answer, Check, Citation, Claim, Event, Evidence, IngestReport, Paper, Verdict
    from rag.verify.backends import check

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Assistant",
    "AttestError",
    "Check",
    "Citation",
    "Claim",
    "Event",
    "Evidence",
    "IngestReport",
    "Paper",
    "Settings",
    "Verdict",
    "check",
]

_HOMES = {
    "Assistant": "assistant",
    "Settings": "config",
    "AttestError": "errors",
    "check": "verify.backends",
}


def __getattr__(name: str) -> Any:
    """Names are loaded when first used, so that `import rag` takes milliseconds."""
    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"rag.{_HOMES.get(name, 'types')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
