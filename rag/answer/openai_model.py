"""A language model behind an OpenAI-compatible endpoint (Chat Completions)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rag.answer.language_model import MAX_TOKENS, Finish, Message, Piece
from rag.config import Settings
from rag.errors import WriterError

if TYPE_CHECKING:
    import openai

# Said here because the client would take an empty OPENAI_BASE_URL for an address.
OPENAI_URL = "https://api.openai.com/v1"
# Requests one answer may cost. The client's own repeats are off: it would wait two minutes when told to.
REQUESTS = 2
PAUSE, LONGEST_PAUSE = 0.5, 20.0
# Nothing tells how much an endpoint takes in, and some cut the prompt without saying so.
WINDOW = 8_192


class OpenAIModel:
    """Asks at temperature 0. A server that refuses the options is asked again without them, and so from then on."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._key, self._url = settings.openai_api_key, settings.openai_base_url or OPENAI_URL
        self._timeout = settings.llm_timeout
        self._options: dict[str, Any] = {
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
            "stream_options": {"include_usage": True},
        }

    def window(self) -> int:
        return WINDOW

    def stream(self, messages: Sequence[Message]) -> Iterator[Piece]:
        with _library().OpenAI(**self._client()) as client:
            options = self._options
            for left in reversed(range(REQUESTS)):
                try:
                    chunks = client.chat.completions.create(**self._request(messages, options))
                    break
                except _library().OpenAIError as error:
                    pause, options = _again(error, options, left)
                    time.sleep(pause)
            self._options = options
            reading = _Reading(chunks)
            for chunk in chunks:
                yield from reading.text(chunk)
            yield reading.finish()

    async def astream(self, messages: Sequence[Message]) -> AsyncGenerator[Piece, None]:
        await asyncio.to_thread(_library)  # its import takes a second, which would hold up the event loop
        async with _library().AsyncOpenAI(**self._client()) as client:
            options = self._options
            for left in reversed(range(REQUESTS)):
                try:
                    chunks = await client.chat.completions.create(**self._request(messages, options))
                    break
                except _library().OpenAIError as error:
                    pause, options = _again(error, options, left)
                    await asyncio.sleep(pause)
            self._options = options
            reading = _Reading(chunks)
            async for chunk in chunks:
                for piece in reading.text(chunk):
                    yield piece
            yield reading.finish()

    def _client(self) -> dict[str, Any]:
        """Raises WriterError when there is no key."""
        if not self._key:
            raise WriterError(
                "no key for the language model",
                hint="set OPENAI_API_KEY (any text will do for a local server), and OPENAI_BASE_URL for an endpoint of your own",
            )
        return {"api_key": self._key, "base_url": self._url, "timeout": self._timeout, "max_retries": 0}

    def _request(self, messages: Sequence[Message], options: dict[str, Any]) -> dict[str, Any]:
        said = [{"role": message.role, "content": message.content} for message in messages]
        return {"model": self.name, "messages": said, "stream": True, **options}


class _Reading:
    """What the chunks of one stream say besides text."""

    def __init__(self, chunks: Any) -> None:
        """Raises WriterError when what comes is no stream: a proxy's page, for instance."""
        kind = chunks.response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            raise WriterError(
                f"the endpoint answers with {kind or 'nothing known'} where a stream of events is expected",
                hint="check OPENAI_BASE_URL; it often ends in /v1",
            )
        self._reason: str | None = None
        self._usage: dict[str, int] = {}

    def text(self, chunk: Any) -> Iterator[str]:
        if used := getattr(chunk, "usage", None):
            self._usage = {"input_tokens": used.prompt_tokens or 0, "output_tokens": used.completion_tokens or 0}
        for choice in (chunk.choices or ())[:1]:
            if choice.delta and choice.delta.content:
                yield choice.delta.content
            self._reason = choice.finish_reason or self._reason

    def finish(self) -> Finish:
        return Finish(self._reason, self._usage)


def _library() -> Any:
    try:
        import openai
    except ImportError as error:
        raise WriterError("the openai package is not installed", hint="pip install 'attest[llm]'") from error
    return openai


def _again(error: openai.OpenAIError, options: dict[str, Any], left: int) -> tuple[float, dict[str, Any]]:
    """Seconds to wait and options to ask again with; raises `error` when asking again is of no use."""
    if left:
        status = getattr(error, "status_code", None)
        if (
            status in (400, 422) and options
        ):  # what exactly is refused, servers say in as many ways as there are servers
            return 0.0, {}
        if status is None or status in (408, 409, 429) or status >= 500:
            pause = _told_to_wait(error)
            if pause <= LONGEST_PAUSE:
                return pause, options
    raise error


def _told_to_wait(error: openai.OpenAIError) -> float:
    """Seconds that the server wants to be left alone."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wanted = float(headers.get(name, "")) * unit
        except ValueError:
            continue  # absent, or a date, which nobody sends here
        return wanted if wanted >= 0 and math.isfinite(wanted) else PAUSE
    return PAUSE
