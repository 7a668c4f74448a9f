"""The model behind an OpenAI-compatible endpoint, against a scripted one on the loopback address, with every fault."""

import asyncio
import json
import re
import time

import pytest
from fakes import CHUNK, MARMOT, Reply, ScriptedModel, open_shelf, sse

from rag.answer.execution import Blocking, Concurrent, blocking
from rag.answer.language_model import Finish, Message, complete
from rag.answer.openai_model import OpenAIModel
from rag.config import Settings
from rag.errors import WriterError
from rag.types import Verdict

pytest.importorskip("openai", reason="openai is not installed (pip install 'attest[llm]')")

QUESTION = "how much does Marmot increase recall over BM25?"
RECALL = "Marmot increases recall by 4.5 points over BM25."
ASKED = [Message("user", "hello")]


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ATTEST_OPENAI_API_KEY", "ATTEST_OPENAI_BASE_URL", "ATTEST_LLM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def server():
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def model(server):
    server.play()
    return server


def settings_of(server, **changed):
    given = {"llm": "openai:tiny", "openai_api_key": "secret", "openai_base_url": server.url, "llm_timeout": 20}
    return Settings(**{**given, **changed})


@pytest.fixture(scope="module")
def assistant(server, tmp_path_factory):
    with open_shelf(tmp_path_factory.mktemp("writer"), settings=settings_of(server)) as opened:
        yield opened


def said_blocking(door, patience):
    return list(blocking(complete(door, ASKED, Blocking(), patience)))


def said_concurrently(door, patience):
    async def collect():
        return [piece async for piece in complete(door, ASKED, Concurrent(), patience)]

    return asyncio.run(collect())


@pytest.fixture(params=[said_blocking, said_concurrently])
def ask(request, model):
    """Text and finish of one call through the gate, with or without an event loop."""

    def said(*script, patience=20, **changed):
        model.play(*script)
        *pieces, finish = request.param(OpenAIModel("tiny", settings_of(model, **changed)), patience)
        return "".join(pieces), finish

    return said


def test_a_stream_is_read_to_its_end(model, ask):
    assert ask("Hello there, reader.") == (
        "Hello there, reader.",
        Finish("stop", {"input_tokens": 11, "output_tokens": 7}),
    )
    (request,) = model.requests
    assert (request["path"], request["key"]) == ("/v1/chat/completions", "Bearer secret")
    assert (request["model"], request["temperature"], request["stream"]) == ("tiny", 0, True)
    assert request["stream_options"] == {"include_usage": True}
    assert ask(Reply.saying("Hello.", usage=False, then=None)) == ("Hello.", Finish("stop"))


def test_a_server_that_refuses_the_options_is_asked_without_them(model, ask):
    refusal = Reply(400, '{"error": {"message": "stream_options is not supported"}}')
    assert ask(refusal, "Hello.")[0] == "Hello."
    assert [set(request) & {"stream_options", "temperature", "max_tokens"} for request in model.requests][1] == set()


def test_and_is_not_asked_with_them_again(model):
    door = OpenAIModel("tiny", settings_of(model))
    model.play(Reply(422, "{}"), "Hello.", "Again.", Reply(422, "{}"))
    assert list(door.stream(ASKED))[-1] == Finish("stop", {"input_tokens": 11, "output_tokens": 7})
    assert list(door.stream(ASKED))
    assert len(model.requests) == 3
    with pytest.raises(Exception, match="422"):
        list(door.stream(ASKED))
    assert len(model.requests) == 4


def later(seconds, **more):
    return Reply(429, '{"error": {"message": "slow down"}}', headers={"retry-after": str(seconds), **more})


FAULTS = {
    "wrong key": ([Reply(401, '{"error": {"message": "no such key: secret"}}')], 1, "refused the key .HTTP 401.; check the key"),
    "forbidden": ([Reply(403, "{}")], 1, "refused the key"),
    "no such model": ([Reply(404, "{}")], 1, "is not known at this address .HTTP 404."),
    "429": ([Reply(429, "{}", headers={}), Reply(429, "{}")], 2, "takes no more requests for now .HTTP 429.; try again later"),
    "429 soon": ([later(0.01), later(0.01)], 2, "takes no more requests"),
    "429 in an hour": ([later(3600)], 1, "takes no more requests"),
    "429 for ever": ([later("inf"), later(1)], 2, "takes no more requests"),
    "429 by date": ([later("Wed, 21 Oct 2026 07:28:00 GMT"), later(1)], 2, "takes no more requests"),
    "500": ([Reply(500, "{}")], 2, "failed .HTTP 500.; try again later"),
    "503 then 400": ([Reply(503, "{}"), Reply(400, "{}")], 2, "did not answer: Error code: 400"),
    "400 then 500": ([Reply(400, "{}"), Reply(500, "{}")], 2, "failed .HTTP 500."),
    "HTML": ([Reply(200, "<html>proxy</html>", "text/html")], 1, "answers with text/html where a stream of events is expected"),
    "HTML with an error": ([Reply(502, "<html>bad gateway</html>", "text/html")], 2, "failed .HTTP 50[02]."),
    "no stream": ([Reply(200, "{}")], 1, "answers with application/json"),
    "not JSON": ([Reply(events=lambda: ["data: {\n\n"])], 1, "did not answer"),
    "JSON of another kind": ([Reply(events=lambda: ["data: []\n\n"])], 1, "did not answer"),
    "an error in the stream": ([Reply(events=lambda: ['data: {"error": {"message": "out of memory"}}\n\n'])], 1, "did not answer: out of memory"),
    "nothing": ([Reply(events=lambda: [])], 1, "gave no answer"),
    "no choices": ([Reply(events=lambda: [f"data: {json.dumps({**CHUNK, 'choices': []})}\n\n"])], 1, "gave no answer"),
    "cut": ([Reply.saying(RECALL, finish=None, then=None)], 1, "broke off in the middle of its answer"),
    "done without a reason": ([Reply.saying(RECALL, finish=None)], 1, "broke off in the middle of its answer"),
    "length": ([Reply.saying(RECALL, finish="length")], 1, "stopped early .length."),
    "filtered": ([Reply.saying(RECALL, finish="content_filter")], 1, "stopped early .content_filter."),
    "parts": ([Reply.saying([{"type": "text", "text": RECALL}])], 1, "text is needed, not list"),
    "endless": ([Reply.endless(lambda at: f"Word number {at}. ")], 1, "does not come to an end"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_mapped_at_one_gate(model, ask, case):
    script, requests, said = FAULTS[case]
    with pytest.raises(WriterError) as caught:
        ask(*script)
    assert re.search(said, f"{caught.value}; {caught.value.hint}")
    assert "secret" not in f"{caught.value}{caught.value.hint}"
    assert len(model.requests) == requests


SLOW = {
    "no answer": Reply(events=lambda: [30.0]),
    "stalled": Reply(events=lambda: [sse({"content": "Marmot"}), 30.0]),
    "comments only": Reply(events=lambda: (event for _ in range(600) for event in (": ping\n\n", 0.05))),
}


@pytest.mark.parametrize("case", SLOW)
def test_silence_is_not_waited_for(ask, case):
    began = time.monotonic()
    with pytest.raises(WriterError, match=r"said nothing for 0\.3 seconds") as caught:
        ask(SLOW[case], patience=0.3)
    assert time.monotonic() - began < 10
    assert "ATTEST_LLM_TIMEOUT" in caught.value.hint


def test_a_server_that_does_not_answer_costs_two_requests_at_most(model, ask):
    with pytest.raises(WriterError, match="said nothing"):
        ask(Reply(events=lambda: [30.0]), Reply(events=lambda: [30.0]), llm_timeout=0.2)
    assert len(model.requests) <= 2


def test_a_retry_may_succeed(model, ask):
    assert ask(Reply(500), "Hello.")[0] == "Hello."
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"openai_api_key": None}, "no key for the language model; set OPENAI_API_KEY"),
        ({"openai_base_url": "nonsense"}, "the language model tiny did not answer: .*; check .*OPENAI_BASE_URL"),
        ({"openai_base_url": "http://127.0.0.1:1/v1"}, "the language model tiny did not answer: Connection error"),
    ],
    ids=["no key", "no address", "refused"],
)
def test_what_is_missing_is_said(model, ask, changed, said):
    with pytest.raises(WriterError) as caught:
        ask(**changed)
    assert re.search(said, f"{caught.value}; {caught.value.hint}")
    assert model.requests == []


EMPTY = {
    "empty": [Reply.saying("")],
    "blank": [Reply.saying(" \n ")],
    "null": [Reply.saying(None)],
    "only markers": ["[1] [2]"],
    "only thoughts": ["<think>The passages say a lot.</think>"],
}


@pytest.mark.parametrize("case", ["500", "HTML", "cut", "length", "endless", *EMPTY])
@pytest.mark.parametrize("way", ["ask", "aask"])
def test_a_failure_gives_the_extractive_answer_with_a_line_saying_so(model, assistant, case, way):
    model.play(*(EMPTY[case] if case in EMPTY else FAULTS[case][0]))
    answer = assistant.ask(QUESTION) if way == "ask" else asyncio.run(assistant.aask(QUESTION))
    assert (answer.status, answer.writer, answer.model) == ("answered", "extractive", None)
    assert RECALL in answer.text
    assert re.search(r"\n\n\(Written without a language model: the .*\.\)$", answer.text)
    assert {claim.verdict for claim in answer.claims} == {Verdict.SUPPORTED}
    assert "secret" not in answer.to_json()


def test_text_of_a_broken_stream_is_replaced(model, assistant):
    model.play(Reply.saying("CraneNet plans meals [1]. Marmot is", finish=None))
    events = list(assistant.stream(QUESTION))
    shown = "".join(event.text for event in events if event.kind == "token")
    assert shown.startswith("CraneNet plans meals. [1] Marmot")
    assert RECALL not in shown  # nothing is added to what was given up
    final = events[-1].answer
    assert (final.writer, "CraneNet" in final.text) == ("extractive", False)
    assert "broke off" in final.text


def test_an_answer_of_the_model_is_cited_and_checked(model, assistant):
    model.play(f"{RECALL[:-1]} [1].")
    answer = assistant.ask(QUESTION)
    assert (answer.status, answer.writer, answer.model) == ("answered", "llm", "tiny")
    assert [citation.quote for citation in answer.citations] == [RECALL]
    assert [item.id for item, _ in answer.papers] == [MARMOT.id]
    assert answer.usage == {"input_tokens": 11, "output_tokens": 7}
    assert json.loads(answer.to_json())["prompt_hash"] == answer.prompt_hash


def test_the_program_asks_the_endpoint_of_the_environment(model, assistant, tmp_path):
    from test_cli import attest

    open_shelf(tmp_path).close()
    model.play(f"{RECALL[:-1]} [1]. It can fly.", "", "NOT ON THE SHELF")
    endpoint = {"OPENAI_API_KEY": "secret", "OPENAI_BASE_URL": model.url, "ATTEST_LLM": "openai:tiny"}
    done = attest("ask", QUESTION, "--json", "--strict", "--shelf", tmp_path / "shelf", **endpoint)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["writer"], answer["model"]) == (0, "llm", "tiny")
    assert answer["text"] == f"{RECALL} [1]\n\n(1 sentence was removed, because the papers do not support it.)"
    done = attest("ask", QUESTION, "--shelf", tmp_path / "shelf", **endpoint)
    assert (done.returncode, len(model.requests)) == (3, 3)


def test_an_empty_address_counts_as_absent(model, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    monkeypatch.setenv("OPENAI_API_KEY", "from the environment")
    found = Settings(llm="openai:tiny")
    assert (found.openai_base_url, found.openai_api_key) == (None, "from the environment")
    assert OpenAIModel("tiny", found)._client()["base_url"] == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", model.url)
    assert Settings().openai_base_url == model.url
    monkeypatch.setenv("ATTEST_OPENAI_BASE_URL", "http://127.0.0.1:1")
    assert Settings().openai_base_url == "http://127.0.0.1:1"
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(WriterError, match="no key"):
        next(OpenAIModel("tiny", Settings(llm="openai:tiny")).stream(ASKED))
    assert "secret" not in repr(settings_of(model))
