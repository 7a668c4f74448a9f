"""What somebody meets who has just begun: each error names the command to give next, and help fits a screen."""

import ast
import re
from pathlib import Path

import pytest
from test_cli import attest

ROOT = Path(__file__).parent.parent
# All that people are shown as they are; not those of records (told with file and line) and of language models (the extractive answer
# says why it was given).
ERRORS = {"AttestError", "UsageError", "ShelfError", "ShelfLocked", "ShelfIncompatible", "ModelError", "PromptError"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("newcomer")
    (made / "draft.md").write_text("Owls hoot at night.\n")
    (made / "empty.md").write_text("")
    (made / "empty").mkdir()
    return made


@pytest.mark.parametrize(
    ("words", "code", "next_one"),
    [
        ([], 2, "First: attest ingest starter:"),
        (["ask"], 2, "attest ask --help"),
        (["aks", "what?"], 2, "attest --help"),
        (["ask", ""], 2, 'attest ask "which papers'),
        (["ask", "what?"], 4, "attest ingest starter:\n"),
        (["ask", "what?", "--shelf", "empty"], 4, "attest ingest starter: --shelf empty"),
        (["search", "owls"], 4, "attest ingest starter:"),
        (["serve"], 4, "attest ingest starter:"),
        (["export"], 4, "attest ingest starter:"),
        (["check", "draft.md"], 4, "attest ingest starter:"),
        (["check", "nowhere.md"], 2, "attest check DRAFT.md"),
        (["check", "empty.md"], 2, "attest check DRAFT.md"),
        (["ask", "what?", "--llm", "gpt"], 2, "openai:MODEL"),
        (["ask", "what?", "--year", "soon"], 2, "2023:"),
        (["export", "--answer", "nowhere.json", "--shelf", "made"], 4, "attest ingest starter: --shelf made"),
        (["watch", "run"], 2, "attest watch add"),
        (["watch", "add", "nowhere"], 2, "arxiv:"),
        (["eval", "everything"], 2, "suites: answers"),
        (["restore", "nowhere.zip", "--shelf", "new"], 4, "attest backup"),
        (["ingest", "nowhere.bib", "--shelf", "other"], 1, "attest ingest starter:"),
        (["ask", "what?", "--shelf", "other"], 4, "attest ingest starter: --shelf other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_names_the_next_command(folder, words, code, next_one):
    done = attest(*words, cwd=folder)
    assert (done.returncode, done.stdout.replace("0 read: 0 new, 0 updated, 0 unchanged, 0 merged, 1 rejected (kept in other/rejected.jsonl)\n", "")) == (code, "")  # fmt: skip
    assert next_one in done.stderr
    assert "Traceback" not in done.stderr


def test_help_fits_a_screen():
    text = attest("--help", COLUMNS="80", LINES="24").stdout
    lines = text.splitlines()
    assert len(lines) < 24, "and the line to type in"
    assert all(len(line) <= 80 for line in lines)
    assert set(re.findall(r"^    (\w+) ", text, re.MULTILINE)) >= {"ingest", "ask", "watch", "serve", "doctor"}


def test_every_error_that_is_raised_has_a_hint():
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*ROOT.glob("rag/**/*.py"), *ROOT.glob("ui/*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and getattr(node.exc.func, "id", "") in ERRORS
        and not any(keyword.arg == "hint" for keyword in node.exc.keywords)
    ]
    # What programs ask of the page's endpoints: the message says all there is to do.
    assert [place for place in bare if not place.startswith(("ui/api.py", "ui/feedback.py"))] == []
