"""The page's values and HTML: literal text, verdicts, conversations, feedback, accounts, filters, runs."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import stat
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fakes import CRANE, MARMOT, PAPERS, open_shelf
from hypothesis import given
from hypothesis import strategies as st

from rag import Answer, Citation, Claim, Paper, Verdict
from rag.errors import UsageError
from rag.types import Filters
from ui.accounts import Accounts, add_user
from ui.conversations import Conversation, Conversations, Turn, now, owner_key
from ui.evidence import evidence_html
from ui.feedback import Feedback
from ui.listing import listing_html
from ui.markup import answer_html, literal
from ui.turns import turn_html

if importlib.util.find_spec("gradio") is None:
    pytest.skip("gradio is not installed (pip install 'attest[ui]')", allow_module_level=True)

TEXT = "Stripes & hides. Flies land less."
PAPER = Paper("p", "A <title>", TEXT, year=2020, year_inferred=True, url="https://example.org/a?b=1&c=<2>")
SAID = "Two things:\n- Stripes <i>heat</i> hides [1]. Flies land less [2].\nHorses sleep. [7] stays.\n| a | b |\n| --- | --- |\n| x [2] | y |"


def claim(words: str, citations: tuple[int, ...], verdict: Verdict, reason: str = "") -> Claim:
    start = SAID.index(words)
    return Claim(words, start, start + len(words), citations, verdict, 0.5, reason)


ANSWER = Answer(
    "why <b>?", "answered", SAID, None,
    (
        claim("Stripes <i>heat</i> hides", (1,), Verdict.CONTRADICTED, "the source says otherwise"),
        claim("Flies land less", (2,), Verdict.SUPPORTED),
        claim("Horses sleep.", (), Verdict.UNSUPPORTED, "the sentence cites nothing"),
    ),
    (Citation(1, PAPER, TEXT[:16], 0, 16), Citation(2, PAPER, TEXT[17:], 17, len(TEXT))),
    ((PAPER, 0.9),),
    filters=Filters((("year", "gte", 2020), ("id", "in", ("p",)))), nearest=((MARMOT, 0.25),),
)  # fmt: skip


class Reader(HTMLParser):
    """The text of some HTML, and its elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said, self.elements = "", list[tuple[str, dict[str, str | None]]]()
        self.feed(text)
        self.close()

    def handle_data(self, data: str) -> None:
        self.said += data

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))


@given(st.text())
def test_literal_text_is_read_as_itself(text: str):
    shown = literal(text)
    assert html.unescape(shown) == re.sub("[\u202a-\u202e\u2066-\u2069]", "", text) or "\r" in text or "\0" in text
    assert not set(shown) & set("<>\"'`${}[]()!*_\\")


@given(st.text(alphabet=st.sampled_from("ab <>&\"'[1]()!-|\n`${}"), max_size=60))
def test_no_text_becomes_markup(text: str):
    cited = Citation(1, replace(PAPER, title=text or "t"), TEXT[:7], 0, 7)
    answer = Answer(text or "q", "answered", text, None, (), (cited,), nearest=((cited.paper, 0.1),))
    turn = Turn(text, now(), {"organization": text}, answer, "")
    for shown in (turn_html(turn, 0), evidence_html(answer, 0), listing_html([Conversation("0" * 16, (turn,))], "")):
        tags = {tag for tag, _ in Reader(shown).elements}
        assert not tags & {"b", "i", "img", "script", "style", "svg", "iframe"}
        assert not [name for _, own in Reader(shown).elements for name in own if name.startswith("on")]


def test_answer_shows_verdicts_markers_and_reasons():
    read = Reader(answer_html(ANSWER, 3))
    markers = [own for tag, own in read.elements if own.get("class") == "cite"]
    assert [(own["data-turn"], own["data-number"]) for own in markers] == [("3", "1"), ("3", "2"), ("3", "2")]
    assert "hides [1]. ✗ contradicted: the source says otherwise" in read.said
    assert "Flies land less [2].✓ (supported)" in read.said
    assert "Horses sleep. [7] ? not supported: the sentence cites nothing stays." in read.said
    classes = [own.get("class") for tag, own in read.elements if "claim" in (own.get("class") or "")]
    assert classes == ["claim contradicted", "claim supported", "claim unsupported"]
    assert [tag for tag, _ in read.elements if tag in ("th", "td")] == ["th", "th", "td", "td"]


def test_evidence_says_each_verdict_and_links_only_to_the_web():
    shown = evidence_html(ANSWER, 3)
    read = Reader(shown)
    assert read.said.index("cite no paper") < read.said.index("Horses sleep") < read.said.index("[1] [2] A <title>")
    assert "“Stripes <i>heat</i> hides”  ✗ contradicted: the source says otherwise" in read.said
    assert "✓ Supported [2]" in read.said
    assert re.findall(r'<mark data-number="(\d)">', shown) == ["1", "2"]
    assert "2020 (year inferred)" in read.said
    links = [own for tag, own in read.elements if tag == "a"]
    assert [own["href"] for own in links] == ["https://example.org/a?b=1&c=<2>"]
    assert links[0]["rel"] == "noopener noreferrer nofollow"
    assert "Marmot" not in read.said, "what was not used is told of below the answer"
    assert "3,200 hand-written notes" in Reader(evidence_html(ANSWER, 3, focus=MARMOT.id)).said
    scripted = replace(ANSWER, citations=(Citation(1, replace(PAPER, url="javascript:alert(1)"), TEXT[:7], 0, 7),))
    assert "<a " not in evidence_html(scripted)


def test_turn_tells_conditions_and_steps():
    read = Reader(turn_html(Turn("why <b>?", now(), {"year": {"gte": 2020}}, ANSWER, ""), 0))
    chips = [own["title"] for tag, own in read.elements if own.get("class") == "chip"]
    assert chips == ["set as a filter"], "ids are no condition of the reader's"
    assert "1 paper was retrieved and not used" in read.said
    assert "Statements checked: 1 supported, 1 contradicted, 1 not supported." in read.said
    own = Reader(turn_html(Turn("why?", now(), {}, ANSWER, ""), 0))
    assert "year ≥ 2020 understood from the question" in own.said


def test_conversations_come_back_as_they_were(tmp_path: Path):
    store, me = Conversations(tmp_path), owner_key("browser", "x")
    kept = store.new().and_then(Turn("why?", now(), {"year": {"gte": 2020}}, ANSWER, "")).and_then(Turn("and?", now()))
    store.write(me, kept)
    assert store.read(me, kept.id) == kept
    assert store.listed(me) == [kept]
    assert store.read(owner_key("browser", "y"), kept.id) is None
    assert store.listed(owner_key("browser", "y")) == []
    path = tmp_path / "conversations" / me / f"{kept.id}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_text("{", encoding="utf-8")
    assert store.read(me, kept.id) is None
    store.write(me, kept)
    store.delete_all(me)
    assert store.listed(me) == []


@pytest.mark.parametrize("key", ["../../etc/passwd", "", "0" * 15, "0" * 16 + "/", "Z" * 16])
def test_no_key_names_another_file(tmp_path: Path, key: str):
    store = Conversations(tmp_path)
    with pytest.raises(ValueError, match="no such conversation"):
        store.read(owner_key("browser", "x"), key)
    with pytest.raises(ValueError, match="no such conversation"):
        store.delete("../..", "0" * 16)


def test_feedback_has_what_a_suite_needs(tmp_path: Path):
    from eval.cases import read_cases

    store = Feedback(tmp_path)
    asked = Conversation("0" * 16, (Turn("first?", now(), {}, ANSWER, ""), Turn("why <b>?", now(), {}, ANSWER, "")))
    store.add(asked, 1, "not supported", 1)
    store.add(asked, 0, "missing paper", note="  The one\non owls ")
    first, second = (json.loads(line) for line in store.path.read_text(encoding="utf-8").splitlines())
    assert (first["history"], first["citation"], first["paper"]) == (["first?"], 1, "p")
    assert first["claims"] == ["Stripes <i>heat</i> hides"]
    assert (second["note"], second["papers"], second["history"]) == ("The one on owls", ["p"], [])
    assert [case.question for case in read_cases(store.path)] == ["why <b>?", "why <b>?"]
    for wrong in ((5, "good", None), (0, "splendid", None), (0, "good", 9)):
        with pytest.raises(UsageError):
            store.add(asked, *wrong)


def test_accounts(tmp_path: Path):
    path = tmp_path / "users"
    add_user(path, "ada", "a long secret")
    add_user(path, "bob", "another secret")
    assert "secret" not in path.read_text(encoding="utf-8")
    accounts = Accounts.read(path)
    assert accounts.allows("ada", "a long secret")
    assert not accounts.allows("ada", "another secret")
    assert not accounts.allows("eve", "a long secret")
    add_user(path, "ada", "quite another one")
    assert not Accounts.read(path).allows("ada", "a long secret")
    assert Accounts.read(path).allows("bob", "another secret")
    for name, password in (("a:b", "a long secret"), ("", "a long secret"), ("eve", "short")):
        with pytest.raises(UsageError):
            add_user(path, name, password)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="other users"):
        Accounts.read(path)
    for text in ("", "ada:secret\n"):
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        with pytest.raises(UsageError):
            Accounts.read(path)


def test_add_user_asks_for_the_password_twice(tmp_path: Path, monkeypatch, capsys):
    from rag.cli import main

    users = tmp_path / "users"
    said = iter(["a long secret", "a long secret", "a long secret", "a lost secret"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(said))
    assert main(["serve", "--auth-file", str(users), "--add-user", "ada"]) == 0
    assert Accounts.read(users).allows("ada", "a long secret")
    assert main(["serve", "--auth-file", str(users), "--add-user", "bob"]) == 2
    assert "the two passwords differ" in capsys.readouterr().err
    assert main(["serve", "--add-user", "bob"]) == 2
    assert (
        main(["serve", "--auth-file", str(tmp_path / "none"), "--shelf", str(tmp_path)]) == 4
    )  # no shelf is said first


def test_filters_as_set():
    from ui.filters import to_conditions

    assert to_conditions("", None, " ", "", "", "") == {}  # type: ignore[arg-type]
    assert to_conditions("2020", "", "2", "3", "Microsoft", "a.txt") == {
        "year": {"gte": 2020},
        "author_count": {"gte": 2, "lte": 3},
        "organization": "Microsoft",
        "page": {"eq": "a.txt"},
    }
    with pytest.raises(UsageError, match="“x” is no number of authors"):
        to_conditions("", "", "x", "", "", "")


def test_answers_under_a_page_and_what_was_not_used(tmp_path: Path):
    with open_shelf(tmp_path) as assistant:
        pages = assistant.shelf.ledger.tally("page")
        assert pages == [(str(tmp_path / "papers.jsonl"), len(PAPERS))]
        assert assistant.shelf.ledger.tally("year") == [(2021, 1), (2023, 1), (2024, 1)]
        answer = assistant.ask("how much does Marmot increase recall?", filters={"page": {"eq": pages[0][0]}})
        assert answer.status == "answered"
        assert ("page", "eq", pages[0][0]) in answer.filters.conditions
        assert {paper.id for paper, _ in answer.papers} == {MARMOT.id}
        assert MARMOT.id not in {paper.id for paper, _ in answer.nearest}
        assert answer.nearest
        nowhere = assistant.ask("how much does Marmot increase recall?", filters={"page": {"eq": "elsewhere"}})
        assert nowhere.status == "abstained"
        listed = assistant.shelf.ledger.listing("date", descending=True)
        assert [paper.title for paper in listed[:2]] == [CRANE.title, MARMOT.title]
        assert len(assistant.shelf.ledger.listing("title", limit=2, offset=1)) == 2


def test_examples_are_questions_that_the_shelf_answers(tmp_path: Path):
    from ui.examples import examples

    with open_shelf(tmp_path) as assistant:
        offered = examples(assistant)
        assert len(offered) >= 3
        assert [assistant.ask(one).status for one in offered] == ["answered"] * len(offered)


def test_examples_of_the_starter_shelf(tmp_path: Path):
    from rag import Assistant
    from ui.examples import STARTER, examples

    with Assistant.open(tmp_path / "shelf") as assistant:
        assistant.ingest([Path(__file__).parent.parent / "eval" / "datasets" / "papers.jsonl"])
        offered = examples(assistant)
        assert offered == [question for question, _ in STARTER]
        assert [assistant.ask(one).status for one in offered] == ["answered"] * len(offered)


def test_the_newest_run_is_shown(tmp_path: Path):
    from ui.runs import RunsTab

    tab = RunsTab(tmp_path)
    assert "No evaluation run was found" in Reader(tab.newest()).said
    run = tmp_path / "first"
    run.mkdir()
    figure = {"mean": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    (run / "summary.json").write_text(json.dumps({"list_f1": figure, "bare": {"mean": None, "n": 1}}), encoding="utf-8")
    assert "list f10.5000.250 to 0.7508" in Reader(tab.newest()).said
    (run / "report.html").write_text('<p title="x">R & D</p><script>window.planted=1</script>', encoding="utf-8")
    frame = next(own for tag, own in Reader(tab.newest()).elements if tag == "iframe")
    assert frame["sandbox"] == "", "the report may run nothing"
    assert frame["srcdoc"] == '<p title="x">R & D</p><script>window.planted=1</script>'
    (run / "summary.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in Reader(tab.newest()).said
