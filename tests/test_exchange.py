"""What goes out of a run and what comes in: other tools' data sets, what readers said, reports made anew."""

import json

import pytest
from fakes import CRANE, MARMOT, ZEBRA, open_shelf, write_jsonl

from eval.cases import read_cases, read_lines
from eval.exchange import COLUMNS
from eval.feedback import convert
from eval.run import read_records
from rag import cli
from rag.types import paper_id

RECALL = "Marmot increases recall by 4.5 points over BM25."
CASES = [
    {"id": "f", "kind": "fact", "question": "how much does Marmot increase recall?", "papers": [MARMOT.id], "answers": ["4.5"],
     "evidence": [{"paper": MARMOT.id, "quote": RECALL}]},
    {"id": "u", "kind": "unanswerable", "question": "how do volcanoes on Io erupt?", "papers": []},
]  # fmt: skip


def attest(*arguments):
    return cli.main(["eval", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("exchange")
    open_shelf(made).close()
    write_jsonl(made / "q.jsonl", CASES)
    assert attest("answers", "--questions", made / "q.jsonl", "--shelf", made / "shelf", "--out", made / "run") == 0
    return made


def exported(folder, format, capsys):
    capsys.readouterr()
    assert attest("export", folder / "run", "--format", format) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_columns_are_those_the_tools_read(folder, capsys):
    fact, refusal = exported(folder, "ragas", capsys)
    assert set(fact) == {"user_input", "response", "retrieved_contexts", "reference", "reference_contexts"}
    assert (fact["user_input"], fact["reference"], fact["reference_contexts"]) == (
        CASES[0]["question"],
        "4.5",
        [RECALL],
    )
    assert RECALL in fact["retrieved_contexts"]
    assert "[1]" in fact["response"]
    assert refusal["retrieved_contexts"] == []  # a refusal is a row like any other
    other, _ = exported(folder, "deepeval", capsys)
    assert set(other) == {"input", "actual_output", "retrieval_context", "expected_output", "context"}
    assert other["actual_output"] == fact["response"]


@pytest.mark.parametrize("format", COLUMNS)
def test_a_run_comes_back(folder, tmp_path, capsys, format):
    rows = exported(folder, format, capsys)
    assert attest("import", write_jsonl(tmp_path / "theirs.jsonl", rows), "--out", tmp_path / "run") == 0
    first, second = read_records(tmp_path / "run")
    (before, _) = read_records(folder / "run")
    assert first.detail["text"] == before.detail["text"]
    # Read from the text alone, the figure that it opens with is a statement of its own, and cites nothing.
    assert [item["cited"] for item in first.detail["verdicts"]] == [[], [1]]
    assert first.metrics["citation_recall"] == first.metrics["uncited_rate"] == 0.5
    assert (
        first.metrics["citation_precision"] == first.metrics["citation_validity"] == first.metrics["answer_match"] == 1
    )
    assert second.metrics["refused"] == 1
    assert second.skipped["faithfulness"] == "refused"
    assert (tmp_path / "run" / "report.html").exists()


def test_another_programs_answers(tmp_path, capsys):
    """Under the names that the columns had before; not knowing is no faithful answer, [0] and [3] are no passages."""
    rows = [
        {"question": "a?", "answer": f"{RECALL} [1]", "contexts": [MARMOT.abstract], "ground_truth": "4.5 points"},
        {"question": "b?", "answer": "I don't know.", "contexts": [MARMOT.abstract], "ground_truth": "4.5 points"},
        {"question": "c?", "answer": f"{RECALL} [0] [3]", "contexts": [CRANE.abstract, MARMOT.abstract]},
    ]
    assert attest("import", write_jsonl(tmp_path / "t.jsonl", rows), "--out", tmp_path / "run") == 0
    known, unknown, forged = read_records(tmp_path / "run")
    assert known.metrics["citation_f1"] == known.metrics["answer_match"] == 1
    assert unknown.metrics == {"refused": 1, "answer_match": 0, "answer_f1": 0, "correctness": 0}
    assert forged.metrics["citation_recall"] == forged.metrics["citation_validity"] == 0
    assert forged.metrics["faithfulness"] == 1
    assert "correctness" not in forged.metrics


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "run", "--format", "nonsense"], "unknown format nonsense\n  formats: ragas, deepeval"),
        (["export", "none"], "none/records.jsonl cannot be read"),
        (["report", "none"], "none/records.jsonl cannot be read"),
        (["import", "rows.jsonl", "--out", "out"], "has the columns of no known data set"),
        (["import", "none.jsonl", "--out", "out"], "none.jsonl cannot be read"),
        (["feedback", "rows.jsonl", "--out", "out"], "rows.jsonl:1: no kind, question"),
        (["feedback", "useless.jsonl", "--out", "out.jsonl"], "nothing in useless.jsonl can be tested with"),
    ],
)
def test_what_is_wrong_is_said(folder, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(folder / "run")
    write_jsonl(tmp_path / "rows.jsonl", [{"text": "a"}])
    write_jsonl(tmp_path / "useless.jsonl", [{"kind": "missing paper", "question": "q"}])
    assert attest(*arguments) != 0
    assert said in capsys.readouterr().err


def test_a_report_is_made_anew(folder, capsys):
    before = {name: (folder / "run" / name).read_bytes() for name in ("summary.json", "report.md", "report.html")}
    for name in before:
        (folder / "run" / name).unlink()
    assert attest("report", folder / "run") == 0
    assert {name: (folder / "run" / name).read_bytes() for name in before} == before
    capsys.readouterr()
    assert attest("report", folder / "run", "--against", folder / "run") == 0
    assert "Compared on 2 questions" in capsys.readouterr().out
    assert attest("report", folder / "run") == 0


# --- feedback, in the form in which the chat page keeps it


def line(kind, question="which papers are about animals?", papers=(ZEBRA.id, CRANE.id), **more):
    return {
        "at": "2025-01-01T00:00:00", "kind": kind, "question": question, "history": [], "filters": {}, "status": "answered", "text": "...",
        "papers": list(papers), "writer": "extractive", "model": None, "note": "", **more,
    }  # fmt: skip


def converted(*lines):
    return convert(lines).questions


def test_a_good_answer_makes_its_papers_gold():
    (row,) = converted(line("good"))
    assert (row["kind"], row["papers"]) == ("list", [ZEBRA.id, CRANE.id])
    (row,) = converted(line("good", papers=[], status="abstained"))
    assert (row["kind"], row["papers"]) == ("unanswerable", [])


def test_a_wrong_paper_is_not_wanted_again_and_a_missing_one_is():
    (row,) = converted(
        line("good"), line("wrong paper", paper=CRANE.id, citation=2), line("missing paper", note=MARMOT.title)
    )
    assert row["papers"] == [ZEBRA.id, MARMOT.id]
    assert row["unwanted"] == [CRANE.id]
    (row,) = converted(line("wrong paper"))  # the whole answer
    assert (row["papers"], row["unwanted"]) == ([], [ZEBRA.id, CRANE.id])
    (row,) = converted(line("wrong paper", paper=CRANE.id), line("good", papers=[CRANE.id]))  # the last word counts
    assert (row["papers"], "unwanted" in row) == ([CRANE.id], False)
    assert paper_id(MARMOT.title) == MARMOT.id


def test_questions_differ_by_history_and_filters():
    rows = converted(
        line("good"), line("good", history=["earlier?"]), line("good", filters={"year": {"gte": 2023}}), line("good")
    )
    assert len(rows) == len({row["id"] for row in rows}) == 3
    assert [row.get("history") for row in rows] == [None, ["earlier?"], None]
    assert rows[2]["filters"] == {"year": {"gte": 2023}}


def test_what_was_not_supported_becomes_claims():
    found = convert([line("not supported", quote="Owls sleep.", claims=["Owls fly."]), line("not supported")])
    assert found.claims == [{"source": "Owls sleep.", "claim": "Owls fly.", "label": 0}]
    assert found.questions == []
    assert found.left_out == {"called not supported, without saying which statement": 1}


def test_feedback_becomes_a_suite_that_can_be_run(folder, tmp_path, capsys):
    asked = "which papers are about zebra stripes?"
    lines = [
        line("good", asked, [ZEBRA.id]),
        line("wrong paper", "how are meals planned?", [ZEBRA.id]),
        line("good", "how do volcanoes on Io erupt?", [], status="abstained"),
        line("good", asked, [ZEBRA.id], filters={"year": {"gte": 2023}}),
        line("not supported", quote=RECALL, claims=["Marmot increases recall by 9.5 points over BM25."]),
        line("missing paper"),
    ]
    told = write_jsonl(tmp_path / "feedback.jsonl", lines)
    assert attest("feedback", told, "--out", tmp_path / "said.jsonl", "--claims", tmp_path / "claims.jsonl") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"4 questions in {tmp_path / 'said.jsonl'}; 1 claims in ")
    assert "1 left out: nothing that a right answer would have is known" in said
    assert len(read_cases(tmp_path / "said.jsonl")) == 4
    assert attest(tmp_path / "said.jsonl", "--shelf", folder / "shelf", "--out", tmp_path / "run", "--min", "unwanted_avoided=1", "--min", "refusal_recall=1") == 0  # fmt: skip
    first, second, third, filtered = read_records(tmp_path / "run")
    assert first.metrics["correctness"] == second.metrics["correctness"] == third.metrics["abstained"] == 1
    assert "list_f1" not in second.metrics
    assert filtered.metrics["false_abstention"] == 1  # of 2023 on there is none about zebras
    assert attest("grounding", "--data", tmp_path / "claims.jsonl", "--min", "claims/accuracy=1") == 0
    assert [row["label"] for row in read_lines(tmp_path / "claims.jsonl", "claim")] == [0]
