"""`report.html`: self-contained, safe with whatever a paper holds, the same bytes each time, and usable in a browser."""

import json
import re
import shutil

import pytest
from fakes import MARMOT, PAPERS, open_shelf, paper, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

from eval import plots
from eval.page import marked
from rag import cli

NASTY = paper(
    "Heron <script>alert(1)</script> & $x^2$",
    'Heron sorts <b>integers</b> in linear time. <img src="http://example.org/a.png" onerror="alert(2)"> It uses $\\alpha$ memory.',
)
CASES = [
    {"id": "f", "kind": "fact", "question": "how much does Marmot increase recall?", "papers": [MARMOT.id], "answers": ["4.5"],
     "evidence": [{"paper": MARMOT.id, "quote": "Marmot increases recall by 4.5 points over BM25."}]},
    {"id": "n", "kind": "fact", "question": "what sorts integers in linear time <i>?", "papers": [NASTY.id], "answers": ["</style>"]},
    {"id": "u", "kind": "unanswerable", "question": "how do volcanoes on Io erupt?", "papers": []},
    {"id": "w", "kind": "fact", "question": "on how many animals was the pattern painted?", "papers": [MARMOT.id], "answers": ["2"]},
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The page of a run over four questions, beside a run in which one of them went another way."""
    made = tmp_path_factory.mktemp("page")
    open_shelf(made, [*PAPERS, NASTY]).close()
    write_jsonl(made / "q.jsonl", CASES)
    arguments = ["eval", "answers", "--questions", made / "q.jsonl", "--shelf", made / "shelf", "--out", made / "run"]
    assert cli.main([str(item) for item in arguments]) == 0
    shutil.copytree(made / "run", made / "other")
    rows = [json.loads(line) for line in (made / "other" / "records.jsonl").read_text().splitlines()]
    rows[0]["metrics"]["fact_answer"] = 0.0
    write_jsonl(made / "other" / "records.jsonl", rows)
    assert cli.main(["eval", "report", str(made / "run"), "--against", str(made / "other")]) == 0
    return made / "run"


def test_the_same_run_has_the_same_page(run):
    before = (run / "report.html").read_bytes()
    assert cli.main(["eval", "report", str(run), "--against", str(run.parent / "other")]) == 0
    assert (run / "report.html").read_bytes() == before


def test_nothing_a_paper_holds_is_obeyed(run):
    page = (run / "report.html").read_text()
    assert page.count("<script") == 1  # our own
    assert "<img" not in page
    assert "<b>integers" not in page
    assert "default-src 'none'" in page
    outside = [address for address in re.findall(r'(?:src|href)="([^"#][^"]*)"', page) if not address.startswith("#")]
    assert outside == []
    assert "\\alpha" in page


def test_every_figure_has_its_interval_and_the_judges_card(run):
    page = (run / "report.html").read_text()
    assert "<strong>Judge</strong> checker: " in page
    for name in json.loads((run / "summary.json").read_text()):
        assert f"<td>{name}</td>" in page


TEXT = "abcdefghijklmnopqrst<&>"
SPANS = st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, len(TEXT))).map(sorted).map(tuple), max_size=4)


@given(SPANS, SPANS)
def test_marks_cover_what_they_should_and_lose_nothing(cited, gold):
    found = str(marked(TEXT, cited, gold))
    assert re.sub(r"</?(?:mark|u)>", "", found).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == TEXT
    held = (
        "".join(re.findall(r"<mark>(.*?)</mark>", found))
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
    )
    assert held == "".join(letter for at, letter in enumerate(TEXT) if any(start <= at < end for start, end in cited))


def test_plots_are_the_same_bytes_and_hold_their_words():
    one, other = (plots.abstention([1, 0, 1, 1], [0.9, 0.2, 0.8, 0.4]) for _ in range(2))
    assert one == other
    assert one.startswith("<svg")
    assert "answering everything" in one
    drawn = plots.calibration({"a $set$ <x>": ([1, 0, 1], [0.9, 0.1, 0.4])})
    assert "a $set$ &lt;x&gt;" in drawn
    assert "<!DOCTYPE" not in one + drawn


# --- in a browser


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


def test_a_reader_finds_a_question_and_pages_through(browser, run):
    page = browser.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto((run / "report.html").as_uri())
    rows = page.locator("#list tbody tr:visible")
    assert rows.count() == 4
    page.fill("#words", "linear time")
    assert rows.count() == 1
    page.fill("#words", "")
    page.select_option("#state", "refused")
    assert [row.split()[0] for row in rows.all_inner_texts()] == ["u"]
    page.select_option("#state", "flipped")
    assert [row.split()[0] for row in rows.all_inner_texts()] == ["f"]
    page.click("#list tbody tr:visible a")
    shown = page.locator(".page:visible")
    assert shown.count() == 1
    assert "how much does Marmot increase recall?" in shown.inner_text()
    assert page.locator(".index").is_hidden()
    marks = shown.locator(".abstract mark")
    assert any("Marmot increases recall by 4.5 points" in text for text in marks.all_inner_texts())
    assert shown.locator(".abstract u").count() >= 1
    assert "+ fact_answer against the other run" in shown.inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.page:target .question').textContent.includes('integers')")
    assert "<script>alert(1)</script>" in page.locator(".page:visible").inner_text()  # as text
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('.page:target')")
    assert page.locator(".index").is_visible()
    assert page.locator(".plots svg").count() >= 6
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert asked == [(run / "report.html").as_uri()]
    assert errors == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
