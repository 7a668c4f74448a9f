"""The chat page in a real browser, over HTTP, and through Gradio's client."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from rag import Answer, Assistant, Citation, Claim, Paper, Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Page

if importlib.util.find_spec("gradio") is None:
    pytest.skip("gradio is not installed (pip install 'attest[ui]')", allow_module_level=True)

ROOT = Path(__file__).resolve().parent.parent
# What a hostile page could put into an abstract: each part would set window.planted or fetch a picture.
PLANTED = (
    '<img src=x onerror="window.planted=1"> ![x](http://example.com/x.png) <script>window.planted=1</script> '
    "[read](javascript:window.planted=1) ${window.planted=1} {{constructor}} http://example.com/y.png"
)
PAPERS = [
    {
        "title": f"Zebra stripes against biting flies {PLANTED}",
        "abstract": f"Zebra stripes confuse biting flies {PLANTED}. The pattern was painted on 20 horses in one field.",
        "date": "2024-05-01",
        "organization": {"slug": "museum", "name": "Museum <b>of</b> Hides"},
    },
    {
        "title": "Zebra stripes do not cool the animal",
        "abstract": "Zebra stripes confuse biting flies and cool nothing. Thermometers on 12 hides agreed all day.",
        "date": "2021-03-04",
    },
    {
        "title": "Graph colouring with few registers",
        "abstract": "A compiler assigns variables to registers by colouring a graph. Spilling falls by 12%.",
        "date": "2019-01-01",
    },
]
QUESTION = "which papers say that zebra stripes confuse biting flies?"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a free port of the loopback address, over a shelf of planted papers."""
    folder = tmp_path_factory.mktemp("app")
    pages = folder / "papers.jsonl"
    pages.write_text("".join(json.dumps(paper) + "\n" for paper in PAPERS), encoding="utf-8")
    with Assistant.open(folder / "shelf") as assistant:
        assert assistant.ingest([pages]).new == len(PAPERS)
    with (folder / "errors").open("w+", encoding="utf-8") as errors:
        command = [sys.executable, str(ROOT / "app.py"), "--shelf", str(folder / "shelf"), "--port", "0"]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            assert server.stdout
            said = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, f"the server said {said!r} and {(folder / 'errors').read_text(encoding='utf-8')!r}"
            yield found[0]
        finally:
            server.terminate()
            server.communicate()


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    playwright.expect.set_options(timeout=120_000)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def test_question_and_follow_up_in_the_browser(address: str, page: Page):
    from playwright.sync_api import expect

    requests: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(address)
    box, chat, evidence = page.get_by_placeholder("Ask a question"), page.locator("#chat"), page.locator("#evidence")
    box.fill(QUESTION)
    page.get_by_role("button", name="Send").click()

    expect(evidence).to_contain_text("2 papers cited")
    expect(chat).to_contain_text("[1]")
    expect(chat).to_contain_text(re.compile(r"Statements checked: \d supported"))
    expect(evidence.locator("mark").first).to_contain_text("Zebra stripes confuse biting flies")
    expect(evidence.locator("li").first).to_have_text(re.compile(r"Supported \[1\]"))
    planted = evidence.locator("article", has_text="Zebra stripes against biting flies")
    expect(planted).to_contain_text("2024-05-01 · Museum <b>of</b> Hides")
    # The planted text is there to be read, in the title, the abstract and the chat, and is nothing but text.
    for place in (planted.locator("h3"), planted.locator("details"), chat):
        expect(place).to_contain_text('<img src=x onerror="window.planted=1">')
        expect(place).to_contain_text("![x](http://example.com/x.png)")
        assert place.locator("img, script, a, b").count() == 0

    box.fill("which of those is from 2021?")
    box.press("Enter")
    expect(evidence).to_contain_text("1 paper cited")
    expect(evidence.locator("h3")).to_have_text("[1] Zebra stripes do not cool the animal")

    page.get_by_role("button", name="Clear").last.click()
    expect(evidence).to_contain_text("The papers an answer cites appear here")
    expect(chat.get_by_text(QUESTION)).to_have_count(0)

    page.get_by_text("how many papers are from 2023?").click()
    expect(chat).to_contain_text("The shelf does not say")
    expect(evidence).to_contain_text("Nothing is cited")

    box.fill("x" * 4001)
    box.press("Enter")
    expect(chat).to_contain_text("the longest that is answered has 4,000")
    expect(chat).to_contain_text("ask for one thing at a time")

    assert page.evaluate("window.planted") is None
    assert {urlsplit(url).hostname for url in requests if not url.startswith("data:")} == {"127.0.0.1"}
    assert troubles == []


def test_security_headers(address: str):
    import httpx

    for path in ("/", "/config", "/nowhere", "/gradio_api/info"):
        headers = httpx.get(address + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy, "no outside host"
        assert re.search(r"script-src [^;]*'unsafe-inline'", policy) is None
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert (
        httpx.get(address).headers["content-security-policy"] != httpx.get(address).headers["content-security-policy"]
    )


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7860"])
def test_foreign_host_is_refused(address: str, host: str):
    import httpx

    assert httpx.get(address, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_foreign_origin_is_refused(address: str, origin: str):
    import httpx

    call = {"url": f"{address}/gradio_api/call/ask", "json": {"data": [QUESTION]}}
    refused = httpx.post(**call, headers={"Origin": origin})
    assert refused.status_code == 403
    assert "content-security-policy" in refused.headers
    assert httpx.post(**call, headers={"Origin": address}).status_code == 200
    assert httpx.post(**call).status_code == 200


def test_ask_endpoint_returns_the_answer_as_json(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(address, verbose=False, analytics_enabled=False, download_files=False)
    answer = client.predict(QUESTION, api_name="/ask")
    assert list(answer) == list(Answer("", "answered", "").to_dict())
    assert answer["question"] == QUESTION
    assert answer["status"] == "answered"
    abstracts = {paper["title"]: paper["abstract"] for paper in PAPERS}
    assert answer["citations"]
    for citation in answer["citations"]:
        assert abstracts[citation["paper"]["title"]][citation["start"] : citation["end"]] == citation["quote"]
    assert {claim["verdict"] for claim in answer["claims"]} == {"supported"}
    with pytest.raises(AppError, match="the question is empty"):
        client.predict(" ", api_name="/ask")
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert list(named) == ["/ask"]
    client.close()


def test_evidence_says_each_verdict_in_words():
    from app import evidence, reply

    text = "Stripes & hides. Flies land less."
    paper = Paper("p", "A <title>", text, year=2020, year_inferred=True)
    citations = (Citation(1, paper, text[:16], 0, 16), Citation(2, paper, text[17:], 17, len(text)))
    claims = (
        Claim("Stripes <i>heat</i> hides", 0, 0, (1,), Verdict.CONTRADICTED, 0.1, "the source says otherwise"),
        Claim("Flies land less", 0, 0, (2,), Verdict.SUPPORTED, 0.9),
        Claim("Horses sleep", 0, 0, (), Verdict.UNSUPPORTED, 0.0, "the sentence cites nothing"),
    )
    answer = Answer("why <b>?", "answered", "Words\n- of *it* [1]", None, claims, citations)
    shown = evidence(answer)
    assert shown.index("cite no paper") < shown.index("Horses sleep") < shown.index("[1] [2]")
    assert re.search(r"<strong>Contradicted</strong> \[1\] “Stripes &#60;i&#62;heat.*the source says otherwise", shown)
    assert re.search(r"<strong>Supported</strong> \[2\]</li>", shown)
    assert "<mark>Stripes &amp; hides.</mark> <mark>Flies land less.</mark>" in shown
    assert "2020 &#40;year inferred&#41;" in shown
    assert not re.search(r"<(b|i|title)>", shown)
    said = reply(answer)
    assert said.startswith("Words\n- of &#42;it&#42; &#91;1&#93;\n")
    assert said.endswith("*Statements checked: 1 contradicted, 1 supported, 1 unsupported.*")


def test_text_of_a_language_model_is_shown_as_it_comes(tmp_path: Path):
    from fakes import Parrot, open_shelf

    from app import create_app

    said = "Marmot increases recall by 4.5 points over BM25 [1]. It can ![fly](http://example.com)."
    with open_shelf(tmp_path) as assistant:
        assistant._model = Parrot(said, "Marmot increases recall by 4.5 points over BM25 [1].")
        respond = next(handler.fn for handler in create_app(assistant).fns.values() if handler.name == "respond")
        shown = [values[0][-1]["content"] for values in respond("how much does Marmot increase recall?", [], [])]
    assert "*Searching…*" in shown[0]
    assert any(text.startswith("Marmot increases rec") and "*Writing…*" in text for text in shown)
    assert any("It can &#33;&#91;fly" in text and "*Asking again for what did not hold…*" in text for text in shown)
    assert shown[-1].startswith("Marmot increases recall by 4&#46;5 points over BM25&#46; &#91;1&#93;\n")
    assert "fly" not in shown[-1]
    assert not [text for text in shown if "![" in text]


def test_the_parts_of_an_abstract_are_labelled_as_stored(tmp_path: Path):
    from fakes import MARMOT, open_shelf

    from app import create_app

    with open_shelf(tmp_path) as assistant:
        respond = next(handler.fn for handler in create_app(assistant).fns.values() if handler.name == "respond")
        *_, last = respond("how much does Marmot increase recall?", [], [])
        parts = [one.role.value for one in assistant.shelf.ledger.sentences([MARMOT.id])[MARMOT.id]]
    labels = re.findall(r'<span class="part">(\w+)</span>', last[3])
    assert labels == [part for at, part in enumerate(parts) if at == 0 or parts[at - 1] != part]
    assert {"problem", "method", "result"} <= set(labels)


def test_missing_shelf_ends_with_its_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from app import main

    assert main(["--shelf", str(tmp_path / "none"), "--port", "0"]) == 4
    error = capsys.readouterr().err
    assert "there is no shelf" in error
    assert "attest ingest" in error


def test_missing_gradio_is_said_plainly():
    code = "import runpy, sys; sys.modules['gradio'] = None; runpy.run_path('app.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'attest[ui]'" in done.stderr
    assert "Traceback" not in done.stderr
