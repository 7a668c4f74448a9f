"""Suites, run folders and gates of `attest eval`, on hand-made questions, a tiny collection and a tiny claim set."""

import json
import math
import re

import pytest
from fakes import CRANE, MARMOT, PAPERS, ZEBRA, checker, open_shelf, write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from eval import attribution
from eval import run as runs
from eval.cases import DATASETS, Case, read_cases, read_lines
from eval.judges.checker import CheckerJudge
from eval.metrics import precision_recall_f1
from eval.suites.answers import score_answer
from eval.suites.options import Options
from eval.suites.robustness import distractors, robustness, with_typos
from rag import cli
from rag.errors import UsageError
from rag.types import Answer, Citation, Claim, Verdict

RECALL = "Marmot increases recall by 4.5 points over BM25."
CASES = [
    {"id": "f", "kind": "fact", "question": "how much does Marmot increase recall?", "papers": [MARMOT.id], "answers": ["4.5"],
     "evidence": [{"paper": MARMOT.id, "quote": RECALL}]},
    {"id": "l", "kind": "list", "question": "which papers are about zebra stripes?", "papers": [ZEBRA.id]},
    {"id": "m", "kind": "metadata", "question": "how many papers are from 2024?", "papers": [CRANE.id], "answers": ["1 paper"]},
    {"id": "u", "kind": "unanswerable", "question": "how do volcanoes on Io erupt?", "papers": []},
    {"id": "w", "kind": "fact", "question": "on how many animals was the pattern painted?", "papers": [CRANE.id], "answers": ["2"]},
    {"id": "h", "kind": "follow-up", "question": "how many hours does it take to train it on a single machine?", "papers": [MARMOT.id], "answers": ["17 hours"],
     "history": ["how much does Marmot increase recall?"]},
]  # fmt: skip


def attest(*arguments):
    return cli.main(["eval", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A shelf of four papers in `shelf`, six questions in `questions.jsonl`."""
    made = tmp_path_factory.mktemp("eval")
    open_shelf(made).close()
    write_jsonl(made / "questions.jsonl", CASES)
    return made


@pytest.fixture(scope="module")
def run(folder):
    """The run folder of the answers suite over these."""
    assert (
        attest(
            "answers", "--questions", folder / "questions.jsonl", "--shelf", folder / "shelf", "--out", folder / "run"
        )
        == 0
    )
    return folder / "run"


def again(folder, *more):
    return attest("--questions", folder / "questions.jsonl", "--shelf", folder / "shelf", *more)


def records(run):
    return {row["id"]: row for row in read_lines(run / "records.jsonl")}


# --- scores of hand-made answers


def answered(text, *papers, claims=(), citations=()):
    return Answer("q", "answered", text, None, claims, citations, tuple((paper, 1.0) for paper in papers))


REFUSAL = Answer("q", "abstained", "The shelf does not say.\n\nNearest papers:\n- 4.5 and Marmot", "nothing")
CLAIMS = (
    Claim("a", 0, 1, (1,), Verdict.SUPPORTED, 1.0), Claim("b", 0, 1, (1,), Verdict.CONTRADICTED), Claim("c", 0, 1, (), Verdict.UNSUPPORTED),
    Claim("d", 0, 1, (2,), Verdict.UNCHECKED),
)  # fmt: skip
START = MARMOT.abstract.index(RECALL)
GOOD = Citation(1, MARMOT, RECALL, START, START + len(RECALL))
MOVED = Citation(2, MARMOT, RECALL, 0, len(RECALL))


def figures(kind, answer, papers=(), answers=(), evidence=()):
    return record_of(kind, answer, papers, answers, evidence).metrics


def record_of(kind, answer, papers=(), answers=(), evidence=()):
    case = Case("1", kind, "q", tuple(papers), tuple(answers), tuple(evidence))
    record = score_answer(case, answer, 5.0, CheckerJudge(checker()))
    assert record.timings["latency_ms"] == 5.0
    return record


@pytest.mark.parametrize("kind", ["fact", "list", "compare", "metadata", "follow-up", "unanswerable"])
def test_a_refusal_counts_as_one_and_not_as_grounding(kind):
    record = record_of(kind, REFUSAL, [MARMOT.id], ["4.5"], [(MARMOT.id, RECALL)])
    found = record.metrics
    assert not {"claims_supported", "citations_located", *attribution.NEEDS_STATEMENTS} & found.keys()
    assert record.skipped == dict.fromkeys(attribution.NEEDS_STATEMENTS, "refused")
    if kind == "unanswerable":
        assert found == {"abstained": 1}
    else:
        assert found.pop("false_abstention") == 1
        assert set(found.values()) == {0}  # not even for an answer that stands in the title of a suggestion
        assert f"{kind.replace('-', '')}_answer" in found


@pytest.mark.parametrize(
    ("expected", "text", "said"),
    [
        ("4", "It is 40.", 0), ("4", "It is 4.", 1), ("4", "It is 4.5.", 0), ("4.5", "It is 14.5.", 0), ("4.5", "It is 4.5%.", 1),
        ("1,234", "1,234 cases", 1), ("owl", "the bowl", 0), ("owl", "owls", 0), ("Owl", "an OWL", 1), ("two owls", "two\nowls", 1),
        ("two owls", "two brown owls", 0), ("12%", "12 %", 1), ("", "anything", 0),
    ],
)  # fmt: skip
def test_an_expected_answer_is_found_as_whole_words(expected, text, said):
    assert figures("fact", answered(text, MARMOT), [MARMOT.id], [expected])["fact_answer"] == said


def test_every_expected_answer_must_be_said():
    assert figures("fact", answered("4 owls", MARMOT), [MARMOT.id], ["4", "bees"])["fact_answer"] == 0


@pytest.mark.parametrize(
    ("kind", "found", "gold", "expected"),
    [
        ("list", [MARMOT, CRANE], [MARMOT, ZEBRA], {"list_precision": 0.5, "list_recall": 0.5, "list_f1": 0.5}),
        ("metadata", [CRANE, MARMOT], [MARMOT, CRANE], {"metadata_exact": 1}),
        ("metadata", [CRANE, MARMOT], [MARMOT], {"metadata_exact": 0}),
        ("fact", [MARMOT, CRANE], [MARMOT], {"fact_first": 1}),
        ("fact", [CRANE, MARMOT], [MARMOT], {"fact_first": 0}),
        ("compare", [ZEBRA, CRANE, MARMOT], [MARMOT, CRANE], {"compare_papers": 1}),
        ("compare", [*PAPERS], [MARMOT, CRANE], {"compare_papers": 0}),
        ("compare", [MARMOT], [MARMOT, CRANE], {"compare_papers": 0}),
        ("follow-up", [MARMOT, CRANE], [MARMOT], {"followup_papers": 1, "followup_f1": 2 / 3}),
    ],
)
def test_papers_are_scored_by_kind(kind, found, gold, expected):
    scored = figures(kind, answered("text", *found), [paper.id for paper in gold])
    assert scored.pop("correctness") == pytest.approx(
        precision_recall_f1([item.id for item in found], [item.id for item in gold])[2]
    )
    assert scored == {"false_abstention": 0, **{name: pytest.approx(value) for name, value in expected.items()}}


def test_grounding_of_an_answer():
    scored = figures("fact", answered("three words here", MARMOT, claims=CLAIMS, citations=(GOOD, MOVED)), [MARMOT.id])
    assert (scored["claims_supported"], scored["uncited_rate"]) == (0.25, 0.25)
    assert (scored["citations_located"], scored["answer_words"]) == (0.5, 3)
    assert scored["citation_validity"] == pytest.approx(2 / 3)  # what is quoted at the wrong place is no source


@pytest.mark.parametrize(
    ("papers", "answers", "nuggets", "expected"),
    [
        ([MARMOT.id], [], [], 1),
        ([MARMOT.id], ["9.9"], [], 0),
        ([MARMOT.id], ["9.9"], [["4.5 points", "4.5"], ["BM25"], ["owls"]], 2 / 3),
    ],
)
def test_correctness_is_of_what_is_known_best(papers, answers, nuggets, expected):
    case = Case("1", "fact", "q", tuple(papers), tuple(answers), (), (), tuple(map(tuple, nuggets)))
    found = score_answer(case, answered(RECALL, MARMOT), 1.0, CheckerJudge(checker())).metrics
    assert found["correctness"] == pytest.approx(expected)
    assert found.get("nugget_recall", expected) == pytest.approx(expected)


def test_a_language_models_i_do_not_know_is_a_refusal():
    answer = answered("I don't know.", claims=(Claim("I don't know.", 0, 13, (), Verdict.SUPPORTED),))
    assert figures("unanswerable", answer) == {"abstained": 1}
    found = record_of("fact", answer, [MARMOT.id], ["4.5"])
    assert (found.metrics["false_abstention"], found.metrics["fact_answer"]) == (1, 0)
    assert found.skipped["faithfulness"] == "refused"
    assert figures("unanswerable", answered("x", MARMOT, claims=CLAIMS))["abstained"] == 0


@pytest.mark.parametrize(
    ("evidence", "covered"),
    [
        ([(MARMOT.id, "recall by 4.5 points")], 1),
        ([(MARMOT.id, "recall by 17 points over machines")], 0),
        ([(CRANE.id, "recall by 4.5 points")], 0),
        ([(MARMOT.id, "Marmot"), (CRANE.id, "Marmot")], 0.5),
    ],
)
def test_evidence_is_looked_for_in_the_quotes_of_its_paper(evidence, covered):
    answer = answered("x", MARMOT, citations=(GOOD,))
    assert figures("fact", answer, [MARMOT.id], evidence=evidence)["fact_evidence"] == covered


# --- runs


def test_a_run_folder(run):
    assert sorted(path.name for path in run.iterdir()) == [
        ".lock", "manifest.json", "records.jsonl", "report.html", "report.md", "summary.json", "timings.jsonl",
    ]  # fmt: skip
    found = records(run)
    assert list(found) == [case["id"] for case in CASES]
    scored = {key: row["metrics"] for key, row in found.items()}
    assert (scored["f"]["fact_first"], scored["f"]["fact_answer"], scored["f"]["fact_evidence"]) == (1, 1, 1)
    assert scored["l"]["list_f1"] == 1
    assert (scored["m"]["metadata_exact"], scored["m"]["metadata_answer"]) == (1, 1)
    assert scored["u"] == {"abstained": 1}
    assert (scored["w"]["fact_first"], scored["w"]["fact_answer"]) == (0, 0)  # "20" is said, "2" is not
    assert "20 animals" in found["w"]["detail"]["text"]
    assert (scored["h"]["followup_papers"], scored["h"]["followup_answer"]) == (1, 1)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert (summary["fact_answer"]["mean"], summary["fact_answer"]["n"]) == (0.5, 2)
    assert summary["claims_supported"] == {"mean": 1, "low": 1, "high": 1, "n": 4, "skipped": {}}
    assert summary["faithfulness"]["skipped"] == {"no statements: a count or a record": 1, "refused": 1}
    assert (summary["refusal_precision"]["mean"], summary["refusal_recall"]["mean"], summary["refusal_f1"]["n"]) == (
        1,
        1,
        6,
    )
    assert not any("latency" in name for name in summary)
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "| fact_answer | 0.500 | 0.000 to 1.000 | 2 |" in report
    assert "latency" not in report
    assert [record.timings["latency_ms"] > 0 for record in runs.read_records(run)] == [True] * 6
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["suites"] == ["answers"]
    made = manifest["made_with"]
    assert made["packages"]["chromadb"]
    assert len(made["models"]["support"]) == len(made["prompts"]["answer"]) + 4 == 16
    assert not {"openai_api_key", "shelf", "cache_dir"} & made["settings"].keys()


def test_a_second_run_has_the_same_bytes_and_nothing_to_tell(folder, run, tmp_path, capsys):
    assert again(folder, "--out", tmp_path / "deep" / "run", "--jobs", 3) == 0
    for name in ("records.jsonl", "summary.json", "report.md", "manifest.json"):
        assert (tmp_path / "deep" / "run" / name).read_bytes() == (run / name).read_bytes(), name
    capsys.readouterr()
    assert again(folder, "--against", run) == 0
    said = capsys.readouterr().out
    assert "Compared on 6 questions that both runs have." in said
    assert "| fact_answer | 0.500 | 0.500 | +0.000 | 1.000 | 1.000 | 2 |  |  |" in said
    assert "latency" not in said.split("| metric | this | against |")[1]


def test_a_comparison_names_what_changed(folder, run, tmp_path, capsys):
    rows = [row for row in records(run).values() if row["id"] != "m"]
    rows[0]["metrics"]["fact_answer"] = 0.0
    rows[0]["metrics"]["uncited_rate"] = 0.5
    rows[1] |= {"key": "another question of that name"}
    (tmp_path / "old").mkdir()
    write_jsonl(tmp_path / "old" / "records.jsonl", rows)
    assert again(folder, "--against", tmp_path / "old") == 0
    said = capsys.readouterr().out.split("Compared on ")[1]
    assert said.startswith("4 questions that both runs have; 2 are only in this one, 1 only in the other")
    assert "| fact_answer | 0.500 | 0.000 | +0.500 | 1.000 | 1.000 | 2 | f |  |" in said
    assert "| uncited_rate | 0.000 | 0.167 | -0.167 | 1.000 | 1.000 | 3 | f |  |" in said  # of which less is better
    assert "metadata_exact" not in said
    assert "list_f1" not in said


@pytest.mark.parametrize(
    ("bounds", "code", "said"),
    [
        ("--min fact_answer=0.5 --min abstained=1 --max false_abstention=0", 0, []),
        ("--min fact_answer=0.6 --min abstained=1", 1, ["fact_answer is 0.500, at least 0.6 is asked"]),
        ("--max fact_answer=0.4 --min list_f1=2", 1,
         ["list_f1 is 1.000, at least 2.0 is asked", "fact_answer is 0.500, at most 0.4 is asked"]),
        ("--min nonsense=0", 1, ["nonsense is no figure of this run, 0.0 is asked; figures: abstained, answer_match, "]),
    ],
)  # fmt: skip
def test_a_missed_bound_fails(folder, capsys, bounds, code, said):
    assert again(folder, *bounds.split()) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(said)
    assert all(line.startswith(f"attest eval: {text}") for line, text in zip(lines, said, strict=True))


def test_limit(folder, capsys):
    assert again(folder, "--limit", 1) == 0
    assert re.search(r"^fact_first +1\.000  1\.000 to 1\.000 +1$", capsys.readouterr().out, re.MULTILINE)
    with pytest.raises(SystemExit):
        again(folder, "--limit", 0)


def test_a_file_of_questions_is_a_suite(folder, tmp_path, capsys):
    """Beside another suite whose figures have the same names each is told apart; alone its figures go by their own."""
    own = write_jsonl(tmp_path / "mine.jsonl", CASES[:2])
    assert attest(own, "--shelf", folder / "shelf", "--min", "list_f1=1", "--out", tmp_path / "run") == 0
    assert {row["suite"] for row in records(tmp_path / "run").values()} == {"mine"}
    assert (
        again(folder, "answers", own, "--limit", 1, "--min", "mine/fact_first=1", "--min", "answers/fact_first=1") == 0
    )
    assert attest(tmp_path / "lost.jsonl") == UsageError.exit_code
    assert "lost.jsonl cannot be read" in capsys.readouterr().err


def test_a_question_that_cannot_be_asked_is_counted_and_ends_nothing(folder, tmp_path, capsys):
    rows = [CASES[0], {"id": "long", "kind": "fact", "question": "why? " * 2_000, "papers": [MARMOT.id]}, CASES[1]]
    own = write_jsonl(tmp_path / "mine.jsonl", rows)
    assert attest(own, "--shelf", folder / "shelf", "--out", tmp_path / "run") == 1
    said = capsys.readouterr()
    assert "1 questions could not be scored; long: the question has" in said.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["fact_first"] == {"mean": 1, "low": 1, "high": 1, "n": 1, "skipped": {"could not be scored": 1}}
    assert "- long: the question has" in (tmp_path / "run" / "report.md").read_text()


def test_retrieval(tmp_path, capsys):
    """Two judged queries of a tiny collection, one of which asks for what cannot be found, and one not judged."""
    data = tmp_path / "tiny"
    data.mkdir()
    rows = [{"_id": f"d{n}", "title": paper.title, "text": paper.abstract} for n, paper in enumerate(PAPERS)]
    write_jsonl(data / "corpus.jsonl", [*rows, {"_id": "d9", "text": "A document without a title about glaciers."}])
    queries = [("q1", "zebra stripes and biting flies"), ("q2", "glaciers"), ("q3", "marmots"), ("q4", "unjudged")]
    write_jsonl(data / "queries.jsonl", [{"_id": key, "text": text} for key, text in queries])
    qrels = "query-id\tcorpus-id\tscore\nq1\td2\t2\nq1\td0\t0\nq2\td9\t1\nq3\tlost\t1\nq7\td1\t1\n"
    (data / "qrels.tsv").write_text(qrels, encoding="utf-8")
    assert attest("retrieval", "--data", tmp_path, "--out", tmp_path / "run") == 0
    found = records(tmp_path / "run")
    assert list(found) == ["tiny/q1", "tiny/q2", "tiny/q3"]
    assert [row["metrics"]["tiny/ndcg@10"] for row in found.values()] == [1, 1, 0]
    assert found["tiny/q1"]["detail"]["found"][0] == "d2"
    assert sorted(found["tiny/q2"]["detail"]["found"]) == ["d0", "d1", "d2", "d3", "d9"]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["tiny/rr@10"]["mean"] == pytest.approx(
        2 / 3, abs=1e-6
    )
    assert attest("retrieval", "--data", data, "--limit", 1, "--min", "tiny/ndcg@10=1") == 0
    assert re.search(r"^tiny/recall@20 +1\.000", capsys.readouterr().out, re.MULTILINE)


def test_grounding(tmp_path, capsys):
    claims = [
        (RECALL, 1),
        ("Zebra stripes confuse biting flies.", 0),
        ("Marmot increases recall by 9.5 points.", 0),
        ("Training takes 17 hours.", 1),
    ]
    write_jsonl(
        tmp_path / "set.jsonl", [{"source": MARMOT.abstract, "claim": text, "label": label} for text, label in claims]
    )
    assert attest("grounding", "--data", tmp_path / "set.jsonl", "--out", tmp_path / "run", "--min", "set/auroc=1") == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["set/accuracy"]["mean"] == 1
    assert summary["set/auroc"] == {"mean": 1, "low": 1, "high": 1, "n": 4, "skipped": {}}
    assert summary["set/kappa"]["mean"] == 1
    assert summary["set/balanced_accuracy"]["mean"] == 1
    assert 0 <= summary["set/calibration_error"]["mean"] < 0.5
    found = records(tmp_path / "run")
    assert [row["detail"]["label"] for row in found.values()] == [1, 0, 0, 1]
    assert "9.5" in found["set/2"]["detail"]["reason"]
    assert (
        attest("grounding", "--data", tmp_path, "--limit", 1, "--min", "set/auroc=0") == 1
    )  # of one row there is none
    assert "set/auroc is nan" in capsys.readouterr().err


# --- what is wrong is said


def bad(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["answers", "--questions", "none.jsonl"], "none.jsonl cannot be read: No such file"),
        (["answers", "--questions", "."], "cannot be read"),
        (["answers", "--questions", "broken.jsonl"], "broken.jsonl:2: "),
        (["answers", "--questions", "latin.jsonl"], "latin.jsonl is not UTF-8"),
        (["answers", "--questions", "claims.jsonl"], "claims.jsonl:1: no question"),
        (["answers", "--shelf", "none"], "there is no shelf at none"),
        (["answers", "--limit", "1", "--out", "claims.jsonl"], "claims.jsonl cannot be made: "),
        (["retrieval"], "needs data\n  give --data"),
        (["retrieval", "--data", "none"], "no collection in none\n"),
        (["retrieval", "--data", "beir"], "qrels.tsv cannot be read"),
        (["retrieval", "--data", "spaces"], "qrels.tsv cannot be read"),
        (["grounding", "--data", "none"], "no claim sets in none\n"),
        (["grounding", "--data", "claims.jsonl"], "claims.jsonl:1: no claim, label"),
        (["nonsense"], "unknown suite nonsense\n  suites: answers, retrieval, grounding"),
        (["answers", "--min", "fact"], "--min fact: METRIC=VALUE"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    bad(tmp_path, "broken.jsonl", '{"question": "a", "papers": []}\n{"question"')
    bad(tmp_path, "latin.jsonl", b'{"question": "\xff"}')
    bad(tmp_path, "claims.jsonl", '{"source": "a"}\n')
    for name in ("beir", "spaces"):
        bad(tmp_path, f"{name}/corpus.jsonl", '{"_id": "1", "text": "a"}')
        bad(tmp_path, f"{name}/queries.jsonl", '{"_id": "1", "text": "a"}')
    bad(tmp_path, "spaces/qrels.tsv", "query-id corpus-id score\n1 1 1\n")
    assert attest(*arguments) != 0
    output = capsys.readouterr()
    assert output.err.startswith("attest eval: ")
    assert said in output.err
    assert output.out == ""


def test_a_lost_run_to_compare_with_is_said(folder, tmp_path, capsys):
    assert again(folder, "--limit", 1, "--against", tmp_path / "none") == UsageError.exit_code
    assert "records.jsonl cannot be read: No such file or directory\n  is it a run folder?" in capsys.readouterr().err


def test_questions_have_defaults(tmp_path):
    (case,) = read_cases(write_jsonl(tmp_path / "q.jsonl", [{"question": "why?"}]))
    assert case == Case("1", "list", "why?", ())
    assert not math.isnan(score_answer(case, REFUSAL, 1.0, CheckerJudge(checker())).metrics["list_f1"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "q", "papers": 3}, "question 1 is not in the form of a question: "),
        (
            {"question": "q", "evidence": [{"quote": "a"}]},
            "question 1 is not in the form of a question: KeyError('paper')",
        ),
        ({"question": "q", "id": 2}, "the id 2 stands for more than one question"),
    ],
)
def test_a_question_of_another_form_is_said(tmp_path, row, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        read_cases(write_jsonl(tmp_path / "q.jsonl", [row, {"question": "other"}]))


# --- robustness


@given(st.lists(st.text("abcdé", max_size=12) | st.text(max_size=9), max_size=9).map(" ".join), st.text(max_size=5))
def test_slips_are_the_same_for_a_seed_and_at_most_one_a_word(text, seed):
    slipped = with_typos(text, seed)
    assert slipped == with_typos(text, seed)
    before, after = (re.findall(r"[^\W\d_]+|[\W\d_]+", part) for part in (text, slipped))
    for old, new in zip(before, after, strict=True):
        assert OSA.distance(old, new) <= (1 if re.fullmatch(r"[^\W\d_]{6,}", old) else 0)
        assert (old[0], old[-1]) == (new[0], new[-1])


def test_every_third_longer_word_slips():
    text = "abcdefgh ijklmn opqrstu and vwxyzab cdefghi jklmnop"
    for seed in "abcdef":
        changed = [at for at, (old, new) in enumerate(zip(text.split(), with_typos(text, seed).split(), strict=True)) if old != new]  # fmt: skip
        assert changed == [0, 4], seed  # the first and fourth of six letters or more
    assert len({with_typos(text, seed) for seed in "abcdef"}) > 1


def test_robustness_gives_the_figures_of_each_wording():
    found = list(runs.run(robustness(Options(limit=2)), None, 1, lambda done, total: None))
    rows = list(read_lines(DATASETS / "paraphrases.jsonl", "id"))[:2]
    assert [record.id for record in found] == [row["id"] for row in rows]
    wordings = ("original", "typos", "keywords", "verbose", "british", "american", "paraphrases", "distractors")
    alike = ("paraphrases", "distractors", "shelf_order")
    for record in found:
        assert set(record.metrics) == {
            *(f"recall@5/{name}" for name in wordings),
            *(f"jaccard/{name}" for name in alike),
        }
        assert all(0 <= value <= 1 for value in record.metrics.values())
        assert record.metrics["recall@5/original"] == record.metrics["jaccard/shelf_order"] == 1
        assert record.detail["wordings"]["typos"] != record.detail["wordings"]["original"]
        assert list(record.skipped) == ["jaccard/context_order"]


def test_distractors_are_others_and_the_same_each_time():
    papers = list(read_lines(DATASETS / "papers.jsonl", "id"))
    made = distractors(papers)
    assert made == distractors(papers)
    assert len({row["id"] for row in [*papers, *made]}) == 2 * len(papers)
    assert all(row["abstract"] not in paper["abstract"] for row, paper in zip(made, papers, strict=True))
