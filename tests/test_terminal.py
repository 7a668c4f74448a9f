"""What a person at a terminal sees while an answer comes about."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import MARMOT, Parrot, open_shelf, rest_of

from rag import Answer, Event
from rag.config import Settings
from rag.render import to_terminal
from rag.terminal import show

ROOT = Path(__file__).parent.parent
QUESTION = "how much does Marmot increase recall over BM25?"
RECALL = "Marmot increases recall by 4.5 points over BM25."


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with open_shelf(tmp_path_factory.mktemp("terminal"), settings=Settings()) as opened:
        yield opened


@pytest.fixture
def seen(shelf, monkeypatch):
    def shown(*script, question=QUESTION, width=100):
        monkeypatch.setattr(shelf, "_model", Parrot(*script) if script else None)
        out = io.StringIO()
        return show(shelf.stream(question), out, width), out.getvalue()

    return shown


def same(text):
    return [line.rstrip() for line in text.strip().split("\n")]


@pytest.mark.parametrize("script", [(), (f"{RECALL[:-1]} [1].",), ("NOT ON THE SHELF",)])
@pytest.mark.parametrize("width", [30, 100])
def test_a_stream_ends_as_the_whole_answer_is_printed(seen, script, width):
    answer, text = seen(*script, width=width)
    assert same(text) == same(to_terminal(answer, color=True, width=width))


def test_lists_are_wrapped_with_their_indent(seen):
    answer, text = seen(question="which papers are about retrieval, recall or notes?", width=60)
    assert "\n- " in answer.text
    assert same(text) == same(to_terminal(answer, color=True, width=60))


def test_what_replaces_text_says_so(seen):
    _, text = seen("CraneNet plans meals [1]. It can fly.", f"{RECALL[:-1]} [1].")
    draft, final = text.split("--- The draft above did not hold. The answer: ---")
    assert "CraneNet plans meals. [1] It can fly." in draft
    assert "the model is asked again" in draft
    assert "CraneNet" not in final
    assert final.strip().startswith(f"{RECALL} [1]")


def test_no_text_drives_the_terminal(seen):
    _, text = seen("\x1b]0;title\x07\x1b[2J\u202eMarmot increases recall by 4.5 points over BM25 [1].\x9b31m", "")
    assert not set(text.replace("\x1b[3", "").replace("\x1b[0m", "").replace("\x1b[1m", "")) & set("\x07\x1b\x9b\u202e")


def test_events_without_an_answer_are_an_error():
    with pytest.raises(ValueError, match="without an answer"):
        show([Event("status", "searching")], io.StringIO(), 80)
    assert show([Event("final", answer=Answer("q", "abstained", "No."))], io.StringIO(), 80).text == "No."


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_the_program_on_a_terminal(tmp_path):
    import pty

    open_shelf(tmp_path).close()
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ATTEST_L", "OPENAI_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "rag", "ask", QUESTION, "--shelf", str(tmp_path / "shelf")],
        stdout=theirs, stderr=theirs, env={**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    ) as process:  # fmt: skip
        os.close(theirs)
        text = rest_of(ours)
    os.close(ours)
    assert process.returncode == 0
    said = " ".join(text.decode().split())
    assert said.count(f"“{RECALL}” [1]") == 1
    assert f"Evidence\x1b[0m [1] {MARMOT.title}" in said
