"""The chat page in a real browser: everything a reader does, and what nobody may do to them."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from fakes import MARMOT, Reply, ScriptedModel, sse
from fakes import PAPERS as INVENTED
from serving import Served, chromium, lines, patient, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

if importlib.util.find_spec("gradio") is None:
    pytest.skip("gradio is not installed (pip install 'attest[ui]')", allow_module_level=True)

# What a hostile page could put into a title or an abstract: each part would set window.planted or fetch a picture.
PLANTED = (
    '<img src=x onerror="window.planted=1"> ![x](http://example.com/x.png) <script>window.planted=1</script> '
    "[read](javascript:window.planted=1) ${window.planted=1} {{constructor}} </p><svg onload=window.planted=1> "
    "http://example.com/y.png"
)
PAPERS: list[dict[str, Any]] = [
    {
        "title": f"Zebra stripes against biting flies {PLANTED}",
        "abstract": f"Zebra stripes confuse biting flies {PLANTED}. The pattern was painted on 20 horses in one field.",
        "date": "2024-05-01",
        "organization": {"slug": "museum", "name": "Museum <b>of</b> Hides"},
        "authors": ["A. <i>Painter</i>", "B. Rider"],
        "url": "javascript:window.planted=1",
    },
    {
        "title": "Zebra stripes do not cool the animal",
        "abstract": "Zebra stripes confuse biting flies and cool nothing. Thermometers on 12 hides agreed all day.",
        "date": "2021-03-04",
        "arxiv_id": "2103.01234",
    },
    {
        "title": "Graph colouring with few registers",
        "abstract": "A compiler assigns variables to registers by colouring a graph. Spilling falls by 12%, at $O(n^2)$ cost.",
        "date": "2019-01-01",
    },
]
QUESTION = "which papers say that zebra stripes confuse biting flies?"
FRESH = {
    "title": "Heron: Sorting Integers",
    "abstract": "We present Heron. Heron sorts ten million integers in 40 milliseconds on one core.",
    "date": "2025-02-03",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("page"), PAPERS) as one:
        yield one
        # No part of the server, whatever was asked of it, has tried to reach anything outside this machine.
        assert one.outside.read_text(encoding="utf-8") == ""
        assert "Traceback" not in one.errors.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


class Watch:
    """What a page asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.hosts: set[str | None] = set()
        self.troubles: list[str] = []
        page.on("request", lambda request: self._asked(request.url))
        page.on("console", lambda message: message.type == "error" and self.troubles.append(message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))

    def _asked(self, url: str) -> None:
        if not url.startswith(("data:", "blob:")):
            self.hosts.add(urlsplit(url).hostname)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 800}) as one:
        yield one


@pytest.fixture
def page(served: Served, context: BrowserContext) -> Iterator[Page]:
    yield from opened(served.address, context)


def opened(address: str, context: BrowserContext) -> Iterator[Page]:
    """A page that must ask nothing of other hosts, run nothing planted, and log no error."""
    one = patient(context.new_page())
    watch = Watch(one)
    one.goto(address)
    one.get_by_role("heading", name="Ask the papers on this shelf").wait_for()
    yield one
    assert one.evaluate("window.planted") is None
    assert watch.hosts == {"127.0.0.1"}
    assert watch.troubles == []


def ask(page: Page, question: str) -> None:
    page.get_by_role("textbox", name="Question").fill(question)
    page.keyboard.press("Enter")


def test_answer_markers_and_evidence(page: Page):
    from playwright.sync_api import expect

    ask(page, QUESTION)
    turn, panel = page.locator("#turn-0"), page.locator("#evidence")
    expect(turn).to_contain_text("Statements checked: 2 supported.")
    expect(turn.locator(".verdict.supported")).to_have_count(2)
    expect(turn.locator(".verdict .sr").first).to_have_text(
        re.compile("supported")
    )  # for those who cannot see the mark
    expect(panel).to_contain_text("Evidence: 2 papers cited")
    expect(panel.locator("mark").first).to_contain_text("Zebra stripes confuse biting flies")
    expect(panel.get_by_role("link")).to_have_attribute("href", "https://arxiv.org/abs/2103.01234")
    assert panel.get_by_role("link").count() == 1, "only http(s) addresses are links"

    markers = turn.get_by_role("button", name=re.compile(r"^\[\d\]$"))
    expect(markers).to_have_count(2)
    for gaze in (markers.nth(1).hover, markers.nth(1).focus):
        gaze()
        expect(page.locator("#tip")).to_be_visible()
        expect(page.locator("#tip")).to_contain_text("Zebra stripes confuse biting flies")
        page.keyboard.press("Escape")
        expect(page.locator("#tip")).to_be_hidden()
        page.mouse.move(5, 5)
    page.keyboard.press("Enter")  # on the marker that has the focus
    expect(panel.locator("mark.focus[data-number='2']")).to_be_in_viewport()

    page.get_by_text("Steps and timings").click()
    expect(turn.locator("dl")).to_contain_text("extractive")


def test_planted_text_is_nothing_but_text(page: Page):
    from playwright.sync_api import expect

    ask(page, QUESTION)
    expect(page.locator("#turn-0")).to_contain_text("Statements checked")
    planted = page.locator("#evidence article", has_text="Zebra stripes against biting flies")
    expect(planted).to_contain_text("Museum <b>of</b> Hides")
    page.locator(f"#turn-0 .cite[data-number='{planted.get_attribute('data-numbers')}']").hover()
    for place in (
        planted.locator("h3"),
        planted.locator("details").first,
        page.locator("#turn-0"),
        page.locator("#tip"),
    ):
        expect(place).to_contain_text('<img src=x onerror="window.planted=1">')
        expect(place).to_contain_text("![x](http://example.com/x.png)")
        expect(place).to_contain_text("${window.planted=1} {{constructor}}")
        assert place.locator("img, script, a, b, svg").count() == 0

    # The other places that show papers or what readers write: the listing, the draft, the conversations.
    page.get_by_role("tab", name="Shelf").click()
    row = page.get_by_role("gridcell", name="Zebra stripes against biting flies")
    expect(row).to_contain_text("<img src=x onerror")
    row.click()
    expect(page.locator("#paper")).to_contain_text("A. <i>Painter</i>, B. Rider")
    assert page.locator("#papers img, #paper img, #paper i, #paper svg").count() == 0
    page.get_by_role("tab", name="Check a draft").click()
    page.get_by_label("Draft").fill(f"Zebra stripes confuse biting flies {PLANTED}.")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#findings")).to_contain_text("sentences supported by the shelf")
    assert page.locator("#findings img, #findings script, #findings a").count() == 0
    page.get_by_role("tab", name="Ask").click()
    ask(page, PLANTED)
    expect(page.locator("#turn-1 .asked")).to_contain_text("<script>window.planted=1</script>")
    expect(page.locator("#turn-1 .said .acts")).to_be_visible()


def test_follow_up_keeps_context_and_chips_say_what_limits(page: Page):
    from playwright.sync_api import expect

    ask(page, QUESTION)
    expect(page.locator("#turn-0")).to_contain_text("Statements checked")
    ask(page, "which of those is from 2021?")
    expect(page.locator("#turn-1 .chip")).to_contain_text("year = 2021")
    expect(page.locator("#evidence article[data-numbers] h3")).to_have_text("[1] Zebra stripes do not cool the animal")
    # A marker of an earlier answer brings that answer's evidence back.
    page.locator("#turn-0 .cite").first.click()
    expect(page.locator("#evidence")).to_contain_text("2 papers cited")


def test_filters_are_controls(page: Page):
    from playwright.sync_api import expect

    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("From year").click()
    page.get_by_role("option", name="2024 (1)").click()
    ask(page, QUESTION)
    expect(page.locator("#turn-0 .chip")).to_contain_text("year ≥ 2024")
    expect(page.locator("#evidence article[data-numbers]")).to_have_count(1)
    page.get_by_label("Authors, at least").fill("many")
    ask(page, "and what else?")
    expect(page.locator("#notice")).to_contain_text("“many” is no number of authors")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_label("Authors, at least")).to_have_value("")


def test_abstention_offers_the_nearest_papers(page: Page):
    from playwright.sync_api import expect

    ask(page, "what does the zebra paper say about the price of gold?")
    said = page.locator("#turn-0 .abstained")
    expect(said).to_contain_text("The shelf does not say")
    said.get_by_role("button", name="Zebra stripes do not cool the animal").click()
    shown = page.locator("#evidence article", has_text="Zebra stripes do not cool")
    expect(shown.get_by_text("Thermometers on 12 hides")).to_be_visible()
    expect(page.locator("#evidence mark")).to_have_count(0)


def test_edit_ask_again_and_errors(page: Page):
    from playwright.sync_api import expect

    ask(page, "x" * 4001)
    expect(page.locator("#turn-0 .failed")).to_contain_text("the longest that is answered has 4,000")
    page.get_by_role("button", name="Edit question").click()
    expect(page.get_by_role("textbox", name="Question")).to_have_value("x" * 4001)
    expect(page.locator("#notice")).to_contain_text("Editing question 1")
    ask(page, QUESTION)
    expect(page.locator("#turn-0")).to_contain_text("Statements checked")
    expect(page.locator(".turn")).to_have_count(1)
    ask(page, "which of those is from 2021?")
    expect(page.locator("#turn-1")).to_contain_text("do not cool")
    page.locator("#turn-0").get_by_role("button", name="Ask again").click()
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator("#turn-0 .asked")).to_contain_text(QUESTION)


def test_conversations_are_kept_private_and_deletable(served: Served, browser: Browser, page: Page):
    from playwright.sync_api import expect

    ask(page, QUESTION)
    expect(page.locator("#turn-0")).to_contain_text("Statements checked")
    page.reload()
    expect(page.locator("#turn-0 .asked")).to_contain_text(QUESTION)
    expect(page.locator("#evidence")).to_contain_text("2 papers cited")
    ask(page, "which of those is from 2021?")
    expect(page.locator("#evidence")).to_contain_text("1 paper cited")

    with browser.new_context() as other:
        stranger = patient(other.new_page())
        stranger.goto(served.address)
        expect(stranger.get_by_role("heading", name="Ask the papers on this shelf")).to_be_visible()
        stranger.get_by_role("button", name="Toggle Sidebar").click()
        expect(stranger.locator("#conversations")).to_contain_text("None yet")

    page.get_by_role("button", name="Toggle Sidebar").click()
    listed = page.locator("#conversations li")
    expect(listed).to_have_count(1)
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_role("heading", name="Ask the papers on this shelf")).to_be_visible()
    listed.get_by_role("button", name=QUESTION, exact=True).click()
    expect(page.locator("#turn-1")).to_contain_text("do not cool")
    page.on("dialog", lambda dialog: dialog.accept())
    listed.get_by_role("button", name="Delete").click()
    expect(page.locator("#conversations")).to_contain_text("None yet")
    page.reload()
    expect(page.get_by_role("heading", name="Ask the papers on this shelf")).to_be_visible()


def test_upload_and_a_question_about_it(page: Page, tmp_path: Path):
    from playwright.sync_api import expect

    upload = tmp_path / "fresh & new.jsonl"
    upload.write_text(json.dumps(FRESH) + '\n{"title": "Nothing but a title"}\n', encoding="utf-8")
    page.get_by_role("tab", name="Shelf").click()
    page.locator("#upload input[type=file]").set_input_files(upload)
    expect(page.locator("#upload")).to_contain_text("fresh")
    page.get_by_role("button", name="Add to the shelf").click()
    expect(page.locator("#ingested")).to_contain_text("1 read: 1 new, 0 updated, 0 unchanged, 0 merged, 1 rejected")
    expect(page.locator("#ingested")).to_contain_text("fresh _ new.jsonl, line 2")
    expect(page.locator("#papers")).to_contain_text("Heron: Sorting Integers")
    page.get_by_label("Search").fill("registers")
    page.get_by_label("Search").press("Enter")
    expect(page.locator("#count")).to_contain_text("best first")
    page.get_by_role("tab", name="Ask").click()
    ask(page, "how fast does Heron sort integers?")
    expect(page.locator("#turn-0")).to_contain_text("40 milliseconds")


def test_draft_is_checked_sentence_by_sentence(page: Page):
    from playwright.sync_api import expect

    page.get_by_role("tab", name="Check a draft").click()
    page.get_by_label("Draft").fill("Thermometers on 12 hides agreed all day. Zebras write poems about flies.")
    page.get_by_role("button", name="Check", exact=True).click()
    found = page.locator(".sentence")
    expect(found).to_have_count(2)
    expect(found.first).to_contain_text("✓ supported")
    expect(found.first.locator("q")).to_have_text("Thermometers on 12 hides agreed all day.")
    expect(found.last).to_contain_text("not supported")
    expect(page.locator("#findings")).to_contain_text("1 of 2 sentences supported by the shelf")


def test_feedback_is_stored(served: Served, page: Page):
    from playwright.sync_api import expect

    before = len(lines(served.shelf / "feedback.jsonl"))
    ask(page, QUESTION)
    turn = page.locator("#turn-0")
    turn.get_by_text("Feedback", exact=True).click()
    turn.get_by_label("Which paper is missing?").fill("The one on tsetse")
    turn.get_by_role("button", name="Missing paper").click()
    expect(turn.locator(".thanks")).to_be_visible()
    first = page.locator("#evidence article").first
    first.get_by_text("Feedback on this citation").click()
    first.get_by_role("button", name="Citation 1: wrong paper").click()
    expect(first.locator(".thanks")).to_be_visible()
    page.wait_for_function("document.querySelectorAll('.thanks').length === 2")
    for _ in range(100):
        if len(stored := lines(served.shelf / "feedback.jsonl")[before:]) == 2:
            break
        page.wait_for_timeout(100)
    missing, wrong = stored
    assert (missing["kind"], missing["note"], missing["question"]) == ("missing paper", "The one on tsetse", QUESTION)
    assert len(missing["papers"]) == 2
    assert (wrong["kind"], wrong["citation"], wrong["history"]) == ("wrong paper", 1, [])
    assert wrong["paper"] in missing["papers"]
    assert wrong["quote"].startswith("Zebra stripes confuse biting flies")


def test_export(context: BrowserContext, page: Page):
    from playwright.sync_api import expect

    context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, QUESTION)
    expect(page.locator("#turn-0")).to_contain_text("Statements checked")
    ask(page, "which of those is from 2021?")
    expect(page.locator("#turn-1")).to_contain_text("do not cool")
    saved = {}
    for name in ("Save as Markdown", "Save as JSON", "Save references (BibTeX)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        kind = download.value.suggested_filename.rsplit(".", 1)[1]
        saved[kind] = Path(download.value.path()).read_text(encoding="utf-8")
    assert saved["md"].count("\n## ") + saved["md"].startswith("## ") == 2
    assert "<img" not in saved["md"]
    turns = json.loads(saved["json"])["turns"]
    assert [turn["question"] for turn in turns] == [QUESTION, "which of those is from 2021?"]
    assert turns[0]["answer"]["claims"][0]["verdict"] == "supported"
    assert len(re.findall(r"^@misc\{", saved["bib"], re.MULTILINE)) == 2
    page.locator("#turn-1").get_by_role("button", name="Copy as Markdown").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('do not cool'))")


def test_mathematics_is_shown_as_it_stands(page: Page):
    from playwright.sync_api import expect

    ask(page, "how much does spilling to registers fall?")
    expect(page.locator("#evidence article").first).to_contain_text("at $O(n^2)$ cost")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_in_both_themes(served: Served, browser: Browser, scheme: str):
    """No violation of WCAG 2.1 A and AA that axe finds, contrast among them, on any tab."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    with browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme) as context:
        page = patient(context.new_page())
        page.goto(served.address)
        page.get_by_role("heading", name="Ask the papers on this shelf").wait_for()
        dark = page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 90)"
        )
        assert dark == (scheme == "dark")
        ask(page, QUESTION)
        page.locator("#turn-0 .tally").wait_for()
        page.get_by_text("Filters", exact=True).click()
        for tab in ("Ask", "Shelf", "Check a draft", "Evaluation"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(500)
            found = axe.run(page, options=options).response["violations"]
            assert [(tab, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


def test_keyboard_alone(page: Page):
    from playwright.sync_api import expect

    page.get_by_role("button", name="what does").or_(page.get_by_role("button", name="how many papers")).first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#turn-0 .acts")).to_be_visible()
    reached = set()
    page.locator("#turn-0 .acts button").first.focus()
    for _ in range(12):
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.innerText"))
        page.keyboard.press("Tab")
    assert {"Copy as Markdown", "Ask again", "Edit question", "Feedback"} <= reached


def test_phone_needs_no_sideways_scrolling(served: Served, browser: Browser):
    with browser.new_context(viewport={"width": 375, "height": 720}, is_mobile=True, has_touch=True) as context:
        page = patient(context.new_page())
        page.goto(served.address)
        page.get_by_role("heading", name="Ask the papers on this shelf").wait_for()
        ask(page, QUESTION)
        page.locator("#turn-0 .tally").wait_for()
        for tab in ("Ask", "Shelf"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= 375
        page.get_by_role("tab", name="Ask").click()
        page.locator("#turn-0 .cite").first.tap()
        page.locator("mark.focus").wait_for()
        page.get_by_role("button", name="Back to the answer").tap()


SAID = "Marmot increases recall by 4.5 points over BM25 [1]. Marmot was trained on goats [1]."


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as one:
        yield one


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Iterator[Served]:
    """A server whose answers a language model writes."""
    environment = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "x"}
    papers = [item.to_dict() for item in INVENTED]
    with serving(tmp_path_factory.mktemp("llm"), papers, "--llm", "openai:m", environment=environment) as one:
        yield one


def words(over: threading.Event | None = None) -> Iterator[str | float]:
    """A streamed completion that does not end by itself; sets `over` when nobody reads it any more."""
    try:
        for number in itertools.count():  # the same word for ever would be given up as repetition
            yield sse({"content": f"word{number} "})
            yield 0.2
    finally:
        if over:
            over.set()


def test_words_stream_and_what_is_not_supported_says_why(
    written: Served, context: BrowserContext, model: ScriptedModel
):
    from playwright.sync_api import expect

    first, rest = SAID[:30], SAID[30:]
    reply = Reply(
        events=lambda: [sse({"content": first}), 2.5, sse({"content": rest}), sse({}, "stop"), "data: [DONE]\n\n"]
    )
    model.play(reply, SAID)
    for page in opened(written.address, context):
        ask(page, "how much does Marmot increase recall?")
        expect(page.locator("#live .draft")).to_contain_text("Marmot increases recall")
        expect(page.locator("#live .stage")).to_have_text("Writing…")
        assert page.locator("#live .verdict").count() == 0, "a draft has no verdicts yet"
        expect(page.locator("#turn-0 .tally")).to_have_text("Statements checked: 1 supported, 1 not supported.")
        expect(page.locator("#live .turn")).to_have_count(0)
        unsupported = page.locator("#turn-0 .verdict.unsupported")
        expect(unsupported).to_have_text(re.compile(r"\? not supported: \w+"))
        expect(page.locator("#turn-0 .claim.unsupported")).to_contain_text("trained on goats")
        expect(page.locator("#evidence li.unsupported")).to_contain_text("Marmot was trained on goats")
        page.get_by_text("Steps and timings").click()
        expect(page.locator("#turn-0 dl")).to_contain_text("(m)")


def test_stop_keeps_the_question_and_ends_the_work(written: Served, context: BrowserContext, model: ScriptedModel):
    from playwright.sync_api import expect

    model.play(Reply(events=lambda: words()), SAID, SAID)
    for page in opened(written.address, context):
        ask(page, "how much does Marmot increase recall?")
        expect(page.locator("#live .draft")).to_contain_text("word1 word2")
        page.get_by_role("button", name="Stop").first.click()
        expect(page.locator("#turn-0 .failed")).to_contain_text("was not answered to the end")
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator("#turn-0")).to_contain_text("increases recall by 4.5 points")


def test_closing_the_tab_ends_the_work(written: Served, browser: Browser, model: ScriptedModel):
    gone = threading.Event()
    model.play(Reply(events=lambda: words(gone)))
    with browser.new_context() as context:
        page = patient(context.new_page())
        page.goto(written.address)
        page.get_by_role("heading", name="Ask the papers on this shelf").wait_for()
        ask(page, "how much does Marmot increase recall?")
        page.get_by_text("word1 word2").wait_for()
        assert not gone.is_set()
    # The request to the language model is closed, which its server notices at its next word.
    assert gone.wait(60)
    model.play()


def test_marmot_is_what_was_asked_about():
    assert "4.5 points" in MARMOT.abstract  # what the scripts above lean on
