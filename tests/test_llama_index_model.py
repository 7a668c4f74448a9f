"""Any LlamaIndex LLM as writer, with scripted ones."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import open_shelf
from pydantic import Field

from rag.answer.language_model import Finish, Message
from rag.answer.models import open_model
from rag.config import Settings

pytest.importorskip("llama_index.core", reason="llama-index-core is not installed (pip install 'attest[llama]')")

from llama_index.core.llms import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    CompletionResponseGen,
    CustomLLM,
    LLMMetadata,
)

QUESTION = "how much does Marmot increase recall over BM25?"
RECALL = "Marmot increases recall by 4.5 points over BM25."
ASKED = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "again")]


class Scripted(CustomLLM):
    """Says its script a few letters at a time, in chunks that may carry what a server would say."""

    script: list[Any]
    prompts: list[str] = Field(default_factory=list)
    raw: list[Any] = Field(default_factory=list)
    pause: float = 0.0
    with_delta: bool = True

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="scripted", context_window=4_000)

    def complete(self, prompt: str, formatted: bool = False, **more: Any) -> CompletionResponse:
        raise AssertionError("the writer streams")

    def stream_complete(self, prompt: str, formatted: bool = False, **more: Any) -> CompletionResponseGen:
        self.prompts.append(prompt)
        said = self.script.pop(0)
        raw = [*self.raw]

        def responses() -> CompletionResponseGen:
            if isinstance(said, Exception):
                raise said
            for at in range(0, len(said), 6):
                time.sleep(self.pause)
                delta = said[at : at + 6] if self.with_delta else None
                yield CompletionResponse(text=said[: at + 6], delta=delta, raw=raw.pop(0) if raw else None)
            for last in raw:
                yield CompletionResponse(text=said, delta="" if self.with_delta else None, raw=last)

        return responses()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with open_shelf(tmp_path_factory.mktemp("llama"), settings=Settings()) as opened:
        yield opened


def read(llm):
    model = open_model(llm, Settings())
    *pieces, finish = model.stream(ASKED)

    async def collect():
        return [piece async for piece in model.astream(ASKED)]

    return "".join(pieces), finish, model, collect


@pytest.mark.parametrize("with_delta", [True, False])
def test_text_comes_with_and_without_an_event_loop(with_delta):
    text, finish, model, collect = read(Scripted(script=["Hello there, reader."] * 2, with_delta=with_delta))
    assert (text, finish, model.name, model.window()) == ("Hello there, reader.", Finish("stop"), "scripted", 4_000)
    assert "".join(asyncio.run(collect())[:-1]) == text


def chunk(reason):
    return SimpleNamespace(choices=[SimpleNamespace(finish_reason=reason, delta=None)], usage=None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([chunk(None), chunk(None), chunk("stop")], "stop"),
        ([chunk(None), chunk(None), chunk("length")], "length"),
        ([chunk(None), chunk(None), chunk(None)], None),
        ([{"choices": [{"finish_reason": None}]}], None),
        ([{"done_reason": "stop", "prompt_eval_count": 3, "eval_count": 4}], "stop"),
        ([{"model": "m"}], "stop"),
    ],
)
def test_the_reason_to_finish_is_looked_for(raw, reason):
    _, finish, *_ = read(Scripted(script=["Hello."], raw=raw))
    assert finish.reason == reason
    assert finish.usage == ({"input_tokens": 3, "output_tokens": 4} if "eval_count" in str(raw) else {})


def test_it_writes_answers(shelf, monkeypatch):
    llm = Scripted(script=[f"{RECALL[:-1]} [1]."] * 2)
    monkeypatch.setattr(shelf, "_model", open_model(llm, Settings()))
    for answer in (shelf.ask(QUESTION), asyncio.run(shelf.aask(QUESTION))):
        assert (answer.text, answer.writer, answer.model) == (f"{RECALL} [1]", "llm", "scripted")
    assert "[1] Marmot: Retrieval From Few Notes (2023)" in llm.prompts[0]


@pytest.mark.parametrize("said", [RuntimeError("out of memory"), "", "Marmot " * 100])
def test_its_failures_end_in_the_extractive_answer(shelf, monkeypatch, said):
    monkeypatch.setattr(shelf, "_model", open_model(Scripted(script=[said]), Settings()))
    answer = shelf.ask(QUESTION)
    assert answer.writer == "extractive"
    assert "(Written without a language model: the language model scripted " in answer.text


def test_a_stall_is_given_up(shelf, monkeypatch):
    monkeypatch.setattr(shelf, "_config", Settings(llm_timeout=0.2))
    for ask in (shelf.ask, lambda question: asyncio.run(shelf.aask(question))):
        monkeypatch.setattr(shelf, "_model", open_model(Scripted(script=[RECALL], pause=3.0), Settings()))
        began = time.monotonic()
        assert "said nothing for 0.2 seconds" in ask(QUESTION).text
        assert time.monotonic() - began < 2


def test_a_model_that_blocks_leaves_the_event_loop_free(shelf, monkeypatch):
    """CustomLLM's own astream_chat runs the blocking stream within the loop."""
    monkeypatch.setattr(shelf, "_model", open_model(Scripted(script=[RECALL] * 4, pause=0.03), Settings()))

    async def together():
        began = time.monotonic()
        await asyncio.gather(*(shelf.aask(QUESTION) for _ in range(4)))
        return time.monotonic() - began

    assert asyncio.run(together()) < 4 * 0.03 * len(RECALL) / 6


def test_an_llm_with_a_stream_of_its_own_is_awaited():
    class Awaited(Scripted):
        async def astream_chat(self, messages, **more):
            async def responses():
                for word in ("Hello", " there."):
                    await asyncio.sleep(0)
                    yield ChatResponse(message=ChatMessage(role="assistant", content=word), delta=word)

            return responses()

    *_, collect = read(Awaited(script=["x"]))
    assert asyncio.run(collect()) == ["Hello", " there.", Finish("stop")]
