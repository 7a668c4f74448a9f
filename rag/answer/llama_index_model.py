"""Any LlamaIndex `LLM` object as language model; its own settings (temperature, length, time limits) hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.answer.execution import in_thread
from rag.answer.language_model import Finish, Message, Piece
from rag.errors import WriterError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

# Where clients keep what their servers said of the end and of the tokens.
_REASONS = ("finish_reason", "stop_reason", "done_reason", "finishReason")
_USAGE = {
    "input_tokens": ("prompt_tokens", "input_tokens", "prompt_eval_count"),
    "output_tokens": ("completion_tokens", "output_tokens", "eval_count"),
}


class LlamaIndexModel:
    """Speaks to `llm` through `stream_chat` and `astream_chat`."""

    def __init__(self, llm: LLM) -> None:
        self._llm = llm
        self.name = str(llm.metadata.model_name)

    def window(self) -> int:
        return int(self._llm.metadata.context_window)

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        reading = _Reading()
        for response in self._llm.stream_chat(_chat(messages)):
            yield reading.text(response)
        yield reading.finish()

    async def astream(self, messages: Sequence[Message]) -> AsyncGenerator[Piece, None]:
        if _blocks(self._llm):
            async for piece in in_thread(self.stream(messages)):
                yield piece
            return
        reading = _Reading()
        async for response in await self._llm.astream_chat(_chat(messages)):
            yield reading.text(response)
        yield reading.finish()


class _Reading:
    """What the responses of one stream say besides text."""

    def __init__(self) -> None:
        self._length = 0
        self._says_when_it_ends = False
        self._reason: str | None = None
        self._usage: dict[str, int] = {}

    def text(self, response: Any) -> str:
        self._note(response)
        # `delta` is the new text; a client that leaves it out has all text so far in the message.
        whole = response.message.content or ""
        delta = str(response.delta) if response.delta is not None else whole[self._length :]
        self._length += len(delta)
        return delta

    def finish(self) -> Finish:
        """A client that never gives reasons to finish is believed when its stream ends."""
        return Finish(self._reason if self._says_when_it_ends else "stop", self._usage)

    def _note(self, response: Any) -> None:
        raw = response.raw
        choices = _get(raw, "choices")
        for part in (*(choices or ())[:1], raw, response.additional_kwargs, response.message.additional_kwargs):
            for name in _REASONS:
                found = _get(part, name)
                self._says_when_it_ends |= found is not None or choices is not None
                self._reason = str(found) if found else self._reason
        for part in (_get(raw, "usage"), raw, response.additional_kwargs):
            used = {
                name: next((_get(part, key) for key in keys if isinstance(_get(part, key), int)), None)
                for name, keys in _USAGE.items()
            }
            self._usage |= {name: count for name, count in used.items() if count is not None}


def _blocks(llm: LLM) -> bool:
    """Whether `astream_chat` is the one of CustomLLM, which runs the blocking stream within the event loop."""
    from llama_index.core.llms import CustomLLM

    return next((base for base in type(llm).__mro__ if "astream_chat" in vars(base)), None) is CustomLLM


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _chat(messages: Sequence[Message]) -> list[Any]:
    try:
        from llama_index.core.llms import ChatMessage
    except ImportError as error:
        raise WriterError("llama-index-core is not installed", hint="pip install 'attest[llama]'") from error
    return [ChatMessage(role=message.role, content=message.content) for message in messages]
