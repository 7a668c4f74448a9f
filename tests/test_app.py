"""The chat page over HTTP and through Gradio's client: endpoints, headers, limits, log-in, many users at once."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import MARMOT, PAPERS, Reply, ScriptedModel, sse
from serving import ROOT, Served, serving

from rag import Answer

if importlib.util.find_spec("gradio") is None:
    pytest.skip("gradio is not installed (pip install 'attest[ui]')", allow_module_level=True)

QUESTION = "how much does Marmot increase recall?"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("app"), [item.to_dict() for item in PAPERS]) as one:
        yield one
        assert one.outside.read_text(encoding="utf-8") == ""


@pytest.fixture
def client(served: Served) -> Iterator[Any]:
    from gradio_client import Client

    one = Client(served.address, verbose=False, analytics_enabled=False, download_files=False)
    yield one
    one.close()


def http(send: Any, url: str, **more: Any) -> Any:
    """A request with patience: the machine may be busy."""
    return send(url, **{"timeout": 120, **more})


def test_security_headers(served: Served):
    import httpx

    for path in ("/", "/config", "/nowhere", "/gradio_api/info"):
        headers = http(httpx.get, served.address + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy, "no outside host"
        assert re.search(r"script-src [^;]*'unsafe-inline'", policy) is None
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    policies = {http(httpx.get, served.address).headers["content-security-policy"] for _ in range(2)}
    assert len(policies) == 2, "a nonce is used once"


def test_each_browser_gets_a_cookie_that_scripts_cannot_read(served: Served):
    import httpx

    first = http(httpx.get, served.address)
    given = first.headers["set-cookie"]
    assert re.match(r"attest_browser=[\w-]{32}; ", given)
    assert "HttpOnly" in given
    assert "SameSite=Strict" in given
    again = http(httpx.get, served.address, headers={"cookie": given.partition(";")[0]})
    assert "set-cookie" not in again.headers
    assert "set-cookie" in http(httpx.get, served.address, headers={"cookie": "attest_browser=../../x"}).headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7860"])
def test_foreign_host_is_refused(served: Served, host: str):
    import httpx

    assert http(httpx.get, served.address, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
                {"Sec-Fetch-Site": "cross-site"}],
)  # fmt: skip
def test_foreign_origin_is_refused(served: Served, headers: dict[str, str]):
    import httpx

    url, call = f"{served.address}/gradio_api/call/ask", {"json": {"data": [QUESTION]}}
    refused = http(httpx.post, url, **call, headers=headers)
    assert refused.status_code == 403
    assert "content-security-policy" in refused.headers
    assert http(httpx.post, url, **call, headers={"Origin": served.address}).status_code == 200
    assert http(httpx.post, url, **call).status_code == 200


def test_requests_and_uploads_are_limited(served: Served):
    import httpx

    url = f"{served.address}/gradio_api/call/ask"
    assert http(httpx.post, url, content=b"x" * 2_000_001).status_code == 413

    def pieces() -> Iterator[bytes]:  # without a length told beforehand
        for _ in range(40):
            yield b"x" * 100_000

    try:
        status = http(httpx.post, url, content=pieces()).status_code
    except httpx.HTTPError:  # the server may hang up on the rest
        status = 413
    assert status == 413
    upload = f"{served.address}/gradio_api/upload"
    assert http(httpx.post, upload, files={"files": ("a.txt", b"x" * 1_000)}).status_code == 200
    refused = http(httpx.post, upload, files={"files": ("a.txt", b"x" * 64_000_001)}, timeout=60)
    assert refused.status_code == 413


def test_no_file_of_the_server_is_given_out(served: Served):
    import httpx

    for path in (
        served.shelf / "ledger.sqlite",
        served.shelf / "feedback.jsonl",
        ROOT / "pyproject.toml",
        "/etc/passwd",
    ):
        assert http(httpx.get, f"{served.address}/gradio_api/file={path}").status_code in (403, 404)


def test_ask_endpoint_returns_the_answer_as_json(client: Any):
    from gradio_client.exceptions import AppError

    answer = client.predict(QUESTION, api_name="/ask")
    assert list(answer) == list(Answer("", "answered", "").to_dict())
    assert answer["status"] == "answered"
    assert answer["citations"]
    for citation in answer["citations"]:
        assert MARMOT.abstract[citation["start"] : citation["end"]] == citation["quote"]
    assert {claim["verdict"] for claim in answer["claims"]} == {"supported"}
    follow_up = client.predict("how many notes was it trained on?", history=[QUESTION], api_name="/ask")
    assert "3,200" in follow_up["text"]
    later = client.predict(QUESTION, filters={"year": {"gte": 2024}}, api_name="/ask")
    assert later["status"] == "abstained", "a paper that is named must meet the conditions too"
    with pytest.raises(AppError, match="the question is empty"):
        client.predict(" ", api_name="/ask")
    with pytest.raises(AppError, match="unknown filter"):
        client.predict(QUESTION, filters={"colour": "red"}, api_name="/ask")


def test_search_fetch_and_check_endpoints(client: Any):
    from gradio_client.exceptions import AppError

    found = client.predict("meals that simmer", k=2, api_name="/search")["results"]
    assert found[0]["title"] == "CraneNet: Planning Meals"
    assert len(found) <= 2
    paper = client.predict(found[0]["id"], api_name="/fetch")
    assert paper["text"].startswith("CraneNet plans meals")
    assert found[0]["text"] in paper["text"]
    checked = client.predict("CraneNet plans meals that simmer for hours. Storks deliver mail.", api_name="/check")
    assert [one["verdict"] for one in checked] == ["supported", "unsupported"]
    assert checked[0]["paper"]["id"] == paper["id"]
    with pytest.raises(AppError, match="no paper on the shelf"):
        client.predict("nothing", api_name="/fetch")
    with pytest.raises(AppError, match="k must be from 1 to 100"):
        client.predict("meals", k=0, api_name="/search")
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/ask", "/search", "/fetch", "/check"}


def tools_of(address: str, headers: dict[str, str] | None = None) -> Any:
    """A session with the server's MCP endpoint, as an assistant has it."""
    pytest.importorskip("mcp", reason="the extra mcp is not installed")
    import contextlib

    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    @contextlib.asynccontextmanager
    async def session() -> Any:
        async with (
            streamablehttp_client(f"{address}/mcp", headers=headers) as (read, write, _),
            ClientSession(read, write) as one,
        ):
            await one.initialize()
            yield one

    return session()


def test_an_assistant_searches_fetches_and_asks_over_mcp(served: Served):
    async def use() -> None:
        async with tools_of(served.address) as session:
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert set(tools) == {"search", "fetch", "ask", "check"}
            assert all(tool.annotations.readOnlyHint for tool in tools.values())
            assert tools["search"].inputSchema["required"] == ["query"]
            found = await session.call_tool("search", {"query": "meals that simmer"})
            results = json.loads(found.content[0].text)["results"]
            assert {"id", "title", "url"} <= set(results[0])
            fetched = json.loads((await session.call_tool("fetch", {"id": results[0]["id"]})).content[0].text)
            assert fetched["text"].startswith("CraneNet plans meals")
            assert {"id", "title", "text", "url", "metadata"} == set(fetched)
            answer = json.loads((await session.call_tool("ask", {"question": QUESTION})).content[0].text)
            assert answer["claims"][0]["verdict"] == "supported"
            refused = await session.call_tool("fetch", {"id": "nothing"})
            assert refused.isError
            assert "no paper on the shelf has the id" in refused.content[0].text

    asyncio.run(use())


async def asked(http: Any, address: str, question: str) -> dict[str, Any]:
    """One question through the queue, as Gradio's own clients send it."""
    begun = await http.post(f"{address}/gradio_api/call/ask", json={"data": [question, None, None]})
    async with http.stream("GET", f"{address}/gradio_api/call/ask/{begun.json()['event_id']}") as stream:
        event = ""
        async for line in stream.aiter_lines():
            event = line.removeprefix("event: ") if line.startswith("event: ") else event
            if line.startswith("data: ") and event == "complete":
                return dict(json.loads(line.removeprefix("data: "))[0])
            assert event != "error", line
    raise AssertionError("the stream ended without an answer")


def test_twenty_at_once_are_all_answered(served: Served):
    import httpx

    questions = [f"{one} (reader {n})" for n in range(5) for one in (QUESTION, "what does CraneNet plan?",
                 "which papers are about zebra stripes?", "how many species does the Stork compiler read?")]  # fmt: skip

    async def all_of_them() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(timeout=120) as http:
            return await asyncio.gather(*(asked(http, served.address, one) for one in questions))

    answers = asyncio.run(all_of_them())
    assert [answer["question"] for answer in answers] == questions
    assert all(answer["status"] == "answered" for answer in answers)


def test_neither_a_slow_language_model_nor_an_ingest_keeps_others_waiting(tmp_path: Path):
    """Questions are answered while twelve answers hang on a silent model, and while papers are read in."""
    import httpx

    held = [f"held {n}" for n in range(12)]
    with ScriptedModel() as model:
        silent = Reply(events=lambda: [sse({"content": "Marmot "}), 60.0])
        model.play(*[silent] * len(held))
        environment = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "x", "ATTEST_LLM_TIMEOUT": "100"}
        papers = [item.to_dict() for item in PAPERS]
        with serving(tmp_path, papers, "--llm", "openai:m", environment=environment) as served:

            async def race() -> list[bool]:
                async with httpx.AsyncClient(timeout=120) as http:
                    slow = [asyncio.create_task(asked(http, served.address, f"{QUESTION} {one}")) for one in held]
                    while len(model.requests) < len(held):
                        await asyncio.sleep(0.05)
                    # Told by the ledger, without the language model.
                    answer = await asked(http, served.address, "how many papers are from 2023?")
                    assert answer["status"] == "answered"
                    still = [not task.done() for task in slow]
                    for task in slow:
                        task.cancel()
                    await asyncio.gather(*slow, return_exceptions=True)
                    return still

            assert all(asyncio.run(race()))


def test_questions_are_answered_while_papers_are_read(tmp_path: Path):
    from fakes import open_shelf, paper

    from ui.shelf import ShelfTab

    many = [
        paper(f"Paper {n} on owls", f"Owl {n} hoots {n} times a night. We count {n} owls in wood {n}.")
        for n in range(600)
    ]
    with open_shelf(tmp_path) as assistant:
        upload = tmp_path / "many.jsonl"
        upload.write_text("".join(json.dumps(one.to_dict()) + "\n" for one in many), encoding="utf-8")

        async def both() -> tuple[int, list[str]]:
            told: list[str] = []

            async def add() -> None:
                async for shown, _ in ShelfTab(assistant).add([str(upload)]):
                    told.append(shown)

            adding, answered = asyncio.create_task(add()), 0
            while not adding.done():
                answer = await assistant.aask(QUESTION)
                assert answer.status == "answered"
                answered += not adding.done()
                await asyncio.sleep(0)
            await adding
            return answered, told

        answered, told = asyncio.run(both())
    assert answered >= 2
    assert "600 new" in told[-1]
    assert sum("progressbar" in one for one in told) > 2
    assert not upload.exists(), "it was moved into the shelf's folder"


def test_stopping_an_upload_keeps_what_was_stored(tmp_path: Path):
    from fakes import open_shelf, paper

    from ui.shelf import ShelfTab

    many = [paper(f"Paper {n} on owls", f"Owl {n} hoots {n} times a night in wood {n}.") for n in range(1_000)]
    with open_shelf(tmp_path) as assistant:
        upload = tmp_path / "many.jsonl"
        upload.write_text("".join(json.dumps(one.to_dict()) + "\n" for one in many), encoding="utf-8")

        async def some() -> None:
            adding = ShelfTab(assistant).add([str(upload)])
            async for shown, _ in adding:
                if "papers read" in shown and ">0 papers" not in shown:
                    break
            await adding.aclose()

        asyncio.run(some())
        with assistant._writing:  # the thread has let go of the shelf
            stored = assistant.shelf.ledger.count()[0]
        assert stored < len(PAPERS) + len(many)
        assert assistant.ask(QUESTION).status == "answered"
        assert assistant.ingest([tmp_path / "shelf" / "uploads" / "many.jsonl"]).new == len(PAPERS) + len(many) - stored


def test_log_in_is_needed_where_users_are_named(tmp_path: Path):
    import httpx
    from gradio_client import Client

    from ui.accounts import add_user

    users = tmp_path / "users"
    add_user(users, "ada", "a long secret")
    add_user(users, "bob", "another secret")
    with serving(tmp_path, [MARMOT.to_dict()], "--auth-file", str(users)) as served:
        for path in ("/config", "/gradio_api/info", "/gradio_api/file=x"):
            assert http(httpx.get, served.address + path).status_code == 401
        assert http(httpx.post, f"{served.address}/gradio_api/call/ask", json={"data": [QUESTION]}).status_code == 401
        assert http(httpx.post, f"{served.address}/gradio_api/upload", files={"files": ("a", b"x")}).status_code == 401
        for wrong in ({"username": "ada", "password": "guess"}, {"username": "eve", "password": "a long secret"}):
            assert http(httpx.post, f"{served.address}/login", data=wrong).status_code == 400
        client = Client(
            served.address, auth=("ada", "a long secret"), verbose=False, analytics_enabled=False, download_files=False
        )
        assert client.predict(QUESTION, api_name="/ask")["status"] == "answered"
        client.close()
        pytest.importorskip("mcp", reason="the extra mcp is not installed")
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        for headers in (
            {},
            {"Authorization": "Basic " + base64.b64encode(b"ada:guess").decode()},
            {"Authorization": "Basic !"},
        ):
            assert http(httpx.post, f"{served.address}/mcp", json=call, headers=headers).status_code == 401

        async def use() -> list[str]:
            own = {"Authorization": "Basic " + base64.b64encode(b"ada:a long secret").decode()}
            async with tools_of(served.address, own) as session:
                return [tool.name for tool in (await session.list_tools()).tools]

        assert "ask" in asyncio.run(use())


def test_missing_shelf_ends_with_its_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from app import main

    assert main(["--shelf", str(tmp_path / "none"), "--port", "0"]) == 4
    error = capsys.readouterr().err
    assert "there is no shelf" in error
    assert "attest ingest" in error


@pytest.mark.parametrize("script", ["app.py", None])
def test_missing_gradio_is_said_plainly(script: str | None, tmp_path: Path):
    run = (
        f"runpy.run_path({script!r}, run_name='__main__')"
        if script
        else "from rag.cli import main; sys.exit(main(['serve']))"
    )
    code = f"import runpy, sys; sys.modules['gradio'] = None; {run}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'attest[ui]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_loads_no_gradio():
    code = "import sys, time; import rag.cli; rag.cli._parser(); print('gradio' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def test_a_silent_wait_notices_that_nobody_listens():
    from ui.pace import paced

    closed: list[str] = []

    async def events() -> Any:
        try:
            yield "first"
            await asyncio.sleep(600)
            yield "never"
        finally:
            closed.append("closed")

    async def run() -> list[str | None]:
        seen: list[str | None] = []
        stream = paced(events(), 0.01)
        async for event in stream:
            seen.append(event)
            if len(seen) == 4:
                break
        await stream.aclose()
        return seen

    begun = time.monotonic()
    assert asyncio.run(run()) == ["first", None, None, None]
    assert closed == ["closed"]
    assert time.monotonic() - begun < 300
