"""What a language model is to Attest: messages in, text out piece by piece, and whether the text came to its end."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from rag.errors import AttestError, WriterError

if TYPE_CHECKING:
    from rag.answer.execution import Execution

# The longest answer asked for, in tokens, and the longest that is read, in characters, should a model ignore that.
MAX_TOKENS = 1_500
MAX_CHARACTERS = 12_000
# A whole answer may take so many times as long as a single piece of it.
WHOLE = 10
# How servers say that a model came to the end of its answer by itself. Nothing else proves an answer whole.
WHOLE_REASONS = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Last piece of a stream. `reason` is None when the stream ended without one; `usage` counts tokens."""

    reason: str | None
    usage: dict[str, int] = field(default_factory=dict)


Piece = str | Finish


@runtime_checkable
class LanguageModel(Protocol):
    """A model of any kind. `stream` and `astream` yield text as it comes and end with one `Finish`.

    They may raise anything; `complete` maps it to WriterError. Threads and event loops share one object.
    """

    name: str

    def window(self) -> int:
        """Tokens that prompt and answer may have together."""

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]: ...

    def astream(self, messages: Sequence[Message]) -> AsyncIterator[Piece]: ...


async def complete(
    model: LanguageModel, messages: Sequence[Message], execution: Execution, patience: float
) -> AsyncGenerator[Piece, None]:
    """The model's answer piece by piece, then its `Finish`.

    Args:
        patience: seconds without a piece after which the model is given up.

    Raises:
        WriterError: the model failed, stalled, did not come to an end, or stopped before it.
    """
    length, finish, end = 0, Finish(None), time.monotonic() + WHOLE * patience
    with gate(model.name, patience):
        async with aclosing(execution.pieces(model, messages, patience)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finish):
                    finish = piece
                    continue
                if not isinstance(piece, str):
                    raise TypeError(f"text is needed, not {type(piece).__name__}")
                length += len(piece)
                if length > MAX_CHARACTERS or time.monotonic() > end:
                    raise WriterError(f"the language model {model.name} does not come to an end")
                yield piece
    if finish.reason is None:
        what = "broke off in the middle of its answer" if length else "gave no answer"
        raise WriterError(f"the language model {model.name} {what}", hint="check the address of the endpoint")
    if finish.reason not in WHOLE_REASONS:
        raise WriterError(f"the language model {model.name} stopped early ({finish.reason})")
    yield finish


@contextmanager
def gate(name: str, patience: float) -> Iterator[None]:
    """The one place where what a model's library raises becomes a WriterError with a hint."""
    try:
        yield
    except AttestError:
        raise
    except Exception as error:  # three libraries, and whatever a user's own model raises
        said, hint = _explained(error, patience)
        raise WriterError(f"the language model {name} {said}", hint=hint) from error


_STATUS = {
    401: ("refused the key (HTTP 401)", "check the key: OPENAI_API_KEY"),
    403: ("refused the key (HTTP 403)", "check the key: OPENAI_API_KEY"),
    404: ("is not known at this address (HTTP 404)", "check the model's name and the address: OPENAI_BASE_URL"),
    429: ("takes no more requests for now (HTTP 429)", "try again later"),
}


def _explained(error: Exception, patience: float) -> tuple[str, str]:
    status = getattr(error, "status_code", None)
    if status in _STATUS:
        return _STATUS[status]
    if isinstance(status, int) and status >= 500:
        return f"failed (HTTP {status})", "try again later"
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return f"said nothing for {patience:g} seconds", "ATTEST_LLM_TIMEOUT sets how long to wait"
    # A server may repeat what it was sent; a key must not come back in an answer.
    words = re.sub(r"(?i)\b(bearer\s+|sk-)\S+", r"\1...", " ".join(str(error).split()))
    return (
        f"did not answer: {words[:200] or type(error).__name__}",
        "check the model's name and, for an endpoint, OPENAI_BASE_URL and the key",
    )
