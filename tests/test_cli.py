"""The program as a user starts it: a process of its own, its output, its exit code."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = "\n".join(
    json.dumps(row)
    for row in (
        {"title": "Heron: Sorting in Linear Time", "abstract": "We present Heron, which sorts integers in linear time. It uses 12% less memory than quicksort.", "date": "2021-05-04", "authors": ["A. Bird"]},
        {"title": "CraneNet: Planning Meals", "abstract": "CraneNet plans meals that simmer for hours. Guests preferred its menus in 71% of dinners.", "date": "2024-02-01"},
    )
)  # fmt: skip


def attest(*arguments, cwd=ROOT, stdin=None, **environment):
    import os

    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ATTEST_", "OPENAI_")) or key == "ATTEST_CACHE_DIR"
    }
    return subprocess.run(
        [sys.executable, "-m", "rag", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, input=stdin, timeout=120, check=False, env={**kept, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "page.jsonl").write_text(PAGE, encoding="utf-8")
    done = attest("ingest", folder / "page.jsonl", "--shelf", folder / "shelf")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 read: 2 new, 0 updated, 0 unchanged, 0 merged, 0 rejected\n"
    return folder / "shelf"


def test_ask_prints_answer_quotes_and_verdicts(shelf):
    done = attest("ask", "what does Heron sort?", "--shelf", shelf)
    assert done.returncode == 0, done.stderr
    assert "The authors “present Heron, which sorts integers in linear time." in done.stdout
    assert "✓ supported" in done.stdout
    assert done.stderr == ""


def test_ask_json_is_the_answer_and_nothing_else(shelf):
    done = attest("ask", "what does Heron sort?", "--json", "--shelf", shelf)
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["claims"][0]["verdict"], answer["citations"][0]["paper"]["year"]) == (
        "answered",
        "supported",
        2021,
    )


def test_abstaining_is_exit_3(shelf):
    done = attest("ask", "quantum error correction with surface codes?", "--json", "--shelf", shelf)
    assert done.returncode == 3
    assert json.loads(done.stdout)["status"] == "abstained"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ask", ""], 2, "the question is empty"),
        (["ask", "x" * 100_000], 2, "100,000 characters"),
        (["ask", "who?", "--shelf", "/nonexistent/shelf"], 4, "attest ingest PAGES"),
        (["ask", "x", "--year", "soon"], 2, "no year or range"),
        (["ask", "x", "--llm", "gpt-4"], 2, "give openai:MODEL (an OpenAI-compatible endpoint) or hf:PATH"),
        (["serve", "--llm", "openai:"], 2, "names no language model"),
        (["search", "x", "-k", "0"], 2, "-k must be at least 1"),
        (["frobnicate"], 2, "invalid choice"),
        ([], 2, "COMMAND"),
        (["check", "/nonexistent.md"], 2, "cannot be read"),
        (["ingest", "/nonexistent.txt"], 1, "no such file"),
        (["ingest", ".", "--format", "docx"], 2, "formats: auto, daily-papers"),
        (["eval", "nonsense"], 2, "unknown suite"),
    ],
)
def test_what_goes_wrong_is_said_in_words(tmp_path, arguments, code, says):
    done = attest(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_year_narrows(shelf):
    done = attest("search", "meals", "--year", "2024:", "--json", "--shelf", shelf)
    assert [row["title"] for row in json.loads(done.stdout)] == ["CraneNet: Planning Meals"]


def test_search_without_a_match_is_exit_3(shelf):
    assert attest("search", "meals", "--year", "1990", "--shelf", shelf).returncode == 3


def test_standing_input_and_default_shelf(tmp_path):
    assert attest("ingest", "-", cwd=tmp_path, stdin=PAGE).returncode == 0
    assert (tmp_path / "shelf" / "ledger.sqlite").is_file()
    again = attest("ingest", "-", cwd=tmp_path, stdin=PAGE)
    assert "0 new, 0 updated, 2 unchanged" in again.stdout


def test_the_shelf_of_the_environment(shelf, tmp_path):
    assert "Heron" in attest("search", "integers", cwd=tmp_path, ATTEST_SHELF=str(shelf)).stdout


def test_exports_read_back(shelf, tmp_path):
    lines = attest("export", "--jsonl", "--shelf", shelf).stdout
    (tmp_path / "again.jsonl").write_text(lines, encoding="utf-8")
    assert attest("ingest", tmp_path / "again.jsonl", "--shelf", tmp_path / "copy").returncode == 0
    copied = [json.loads(line) for line in attest("export", "--shelf", tmp_path / "copy").stdout.splitlines()]
    original = [json.loads(line) for line in lines.splitlines()]
    assert [row | {"sources": []} for row in copied] == [row | {"sources": []} for row in original]
    rows = list(csv.DictReader(io.StringIO(attest("export", "--csv", "--shelf", shelf).stdout)))
    assert [row["year"] for row in rows] == ["2021", "2024"]
    assert attest("export", "--bibtex", "--shelf", shelf).stdout.count("@misc{") == 2


def test_every_format_for_reference_managers_and_people(shelf):
    ris = attest("export", "--ris", "--shelf", shelf).stdout
    assert ris.count("TY  - GEN\n") == ris.count("ER  - \n") == 2
    assert (
        "\n- [ ] Heron: Sorting in Linear Time. A. Bird. 2021-05-04."
        in attest("export", "--markdown", "--shelf", shelf).stdout
    )


def test_one_answer_with_its_references(shelf, tmp_path):
    asked = attest("ask", "what does Heron sort?", "--json", "--shelf", shelf)
    (tmp_path / "answer.json").write_text(asked.stdout, encoding="utf-8")
    told = attest("export", "--answer", tmp_path / "answer.json", "--shelf", shelf)
    assert told.returncode == 0, told.stderr
    assert "\n## References\n\n1. Heron: Sorting in Linear Time. A. Bird. 2021-05-04.\n   > " in told.stdout
    assert (
        attest("export", "--answer", "-", "--bibtex", "--shelf", shelf, stdin=asked.stdout).stdout.count("@misc{") == 1
    )
    other = attest("export", "--answer", tmp_path / "answer.json", "--csv", "--shelf", tmp_path / "none")
    assert (other.returncode, other.stdout) == (4, "")
    broken = attest("export", "--answer", "-", "--shelf", shelf, stdin="{}")
    assert broken.returncode == 2
    assert "attest ask" in broken.stderr


def test_a_bibliography_enriches_the_shelf_and_packed_files_are_read(tmp_path):
    import gzip

    (tmp_path / "page.jsonl.gz").write_bytes(gzip.compress(PAGE.encode()))
    (tmp_path / "refs.bib").write_text(
        "@article{h, title={{Heron}: Sorting in Linear Time}, doi={10.1234/h}}\n@misc{x, title={Unknown}}"
    )
    done = attest("ingest", "page.jsonl.gz", "refs.bib", "--shelf", "s", cwd=tmp_path)
    assert done.stdout.startswith("3 read: 2 new, 0 updated, 0 unchanged, 1 merged, 1 rejected")
    assert "refs.bib:2: no abstract, and no paper on the shelf to add it to" in done.stderr
    rows = [json.loads(line) for line in attest("export", "--shelf", "s", cwd=tmp_path).stdout.splitlines()]
    assert (rows[0]["doi"], rows[0]["provenance"]["doi"]["file"]) == ("10.1234/h", "refs.bib")


def test_without_a_network_it_is_said_and_with_a_service_it_is_read(tmp_path):
    from test_live import Service

    with Service("s2") as running:
        bases = json.dumps({"s2": running.base, "arxiv": "http://127.0.0.1:9"})
        done = attest("ingest", "s2:owls", "--limit", "3", "--shelf", "s", cwd=tmp_path, ATTEST_SERVICES=bases)
        assert done.stdout.startswith("3 read: 3 new"), done.stderr
        failed = attest("ingest", "arxiv:owls", "--shelf", "s", cwd=tmp_path, ATTEST_SERVICES=bases)
    assert failed.returncode == 1
    assert "arxiv:owls: 127.0.0.1 cannot be reached" in failed.stderr
    assert "is there a network?" in failed.stderr


def test_a_newcomer_is_shown_the_way_to_a_first_answer(tmp_path):
    lost = attest("ask", "which papers compare hybrid linear attention ratios?", cwd=tmp_path)
    assert lost.returncode == 4
    command = next(line for line in lost.stderr.splitlines() if "starter:" in line).partition("attest ")[2].split()
    assert attest(*command, cwd=tmp_path).returncode == 0
    assert attest("ask", "which papers compare hybrid linear attention ratios?", cwd=tmp_path).returncode == 0


def test_help_fits_a_screen():
    said = attest("--help").stdout.splitlines()
    assert len(said) <= 24
    assert max(map(len, said)) <= 100


def test_check_a_draft(shelf, tmp_path):
    (tmp_path / "draft.md").write_text(
        "# Related work\n\nHeron sorts integers in linear time [1]. Heron needs 40% less memory than quicksort.\n",
        encoding="utf-8",
    )
    findings = json.loads(attest("check", tmp_path / "draft.md", "--json", "--shelf", shelf).stdout)
    assert [(row["verdict"], row["paper"]["title"].split(":")[0]) for row in findings] == [
        ("supported", "Heron"),
        ("unsupported", "Heron"),
    ]
    assert "40" in findings[1]["reason"]
    assert "1 of 2 sentences supported" in attest("check", tmp_path / "draft.md", "--shelf", shelf).stdout


def test_doctor_says_what_will_be_used(shelf):
    done = attest("doctor", "--shelf", shelf)
    assert done.returncode == 0, done.stdout
    for said in ("all-MiniLM-L6-v2", "2 papers", "extractive", "chromadb"):
        assert said in done.stdout


def test_no_key_is_no_reason_to_fail(shelf):
    done = attest("ask", "what does Heron sort?", "--llm", "openai:some-model", "--shelf", shelf)
    assert done.returncode == 0
    assert "Written without a language model: no key" in " ".join(done.stdout.split())
    again = attest(
        "ask", "what does Heron sort?", "--strict", "--json", "--shelf", shelf, ATTEST_LLM="openai:some-model"
    )
    assert json.loads(again.stdout)["writer"] == "extractive"
