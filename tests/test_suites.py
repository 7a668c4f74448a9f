"""Suites that change, poison and weigh a shelf, on few questions; and the parts that they are made of."""

import json
import random

import pytest
from fakes import MARMOT, STORK, Parrot, checker
from hypothesis import given
from hypothesis import strategies as st

from eval import run as runs
from eval.attribution import UNSCORED
from eval.cases import DATASETS, read_lines
from eval.judges.checker import CheckerJudge
from eval.judges.judge import Grade
from eval.matching import longest_copy
from eval.suites.health import K, boilerplate, health, planted_auroc, ranked_values, shapley
from eval.suites.injection import Obedient, injection, question
from eval.suites.interventions import interventions, renamed, with_another_name, without
from eval.suites.options import Options
from rag import cli
from rag.answer.language_model import Message


def silent(done, total):
    pass


def records(suite, **options):
    return list(runs.run(suite(Options(**options)), None, 1, silent))


# --- interventions


class Credulous:
    """A judge that believes everything, or says nothing."""

    name = identity = "credulous"
    kept = False

    def __init__(self, grade):
        self.given = grade

    def grade(self, claim, source):
        return self.given


@pytest.fixture(scope="module")
def changed():
    return records(interventions, limit=6, judge=CheckerJudge(checker()))


def test_every_intervention_is_scored_or_says_why_not(changed):
    names = {"delete/holds", "delete/abstains", "negate/noticed", "number/noticed", "name/noticed", "rename/follows"}
    for record in changed:
        assert record.metrics.keys() | record.skipped.keys() == names
        assert not record.metrics.keys() & record.skipped.keys()
        assert set(record.metrics.values()) <= {0, 1}
    assert sum("delete/holds" in record.metrics for record in changed) >= 4
    assert any("rename/follows" in record.metrics for record in changed)


def test_what_was_changed_can_be_read_in_the_record(changed):
    for record in changed:
        for name in ("negate", "number", "name"):
            if f"{name}/noticed" in record.metrics:
                assert record.detail[name]["source"] != record.detail[name]["statement"]
        if "delete" in record.detail:
            assert len(record.detail["delete"]["abstract"]) > 50
        if "rename" in record.detail:
            assert record.detail["rename"]["question"] != record.detail["question"]


def test_the_shelf_is_as_it_was_afterwards(changed):
    again = records(interventions, limit=6, judge=CheckerJudge(checker()))
    assert [record.to_row() for record in again] == [record.to_row() for record in changed]


def test_a_judge_that_believes_everything_is_found_out():
    found = records(interventions, limit=3, judge=Credulous(Grade(1.0, True)))
    noticed = [value for record in found for name, value in record.metrics.items() if name.endswith("/noticed")]
    assert noticed
    assert set(noticed) == {0}
    unscored = records(interventions, limit=3, judge=Credulous(Grade.none("mumbled")))
    reasons = {why for record in unscored for name, why in record.skipped.items() if name == "number/noticed"}
    assert UNSCORED in reasons


def test_a_model_that_knows_by_heart_does_not_hold():
    """Asked of a paper that no longer says it, it says it all the same: not even strictness takes that for abstaining."""
    (plain,) = records(interventions, limit=1)
    said = " and ".join(plain.detail["expected"])
    model = Parrot(*[f"It is {said} [1]."] * 9)
    (record,) = records(interventions, limit=1, llm=model)
    assert record.metrics["delete/holds"] == record.metrics["delete/abstains"] == 0
    assert plain.metrics["delete/holds"] == 1


TEXT = "abcdefghij"


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)).map(sorted)))
def test_without_keeps_all_else(spans):
    gone = {at for start, end in spans for at in range(start, end)}
    assert without(TEXT, [tuple(span) for span in spans]) == "".join(
        letter for at, letter in enumerate(TEXT) if at not in gone
    )


def test_names_are_exchanged_as_words():
    assert renamed("Owl and OWL, bowl, owls: owl-like", "Owl", "X") == "X and X, bowl, owls: X-like"
    assert renamed("LLM.int8() beats LLM.int8", "LLM.int8()", "X").startswith("X beats")
    changed = with_another_name("We compare Marmot with BM25 on notes.", random.Random(1))
    assert ("Marmot" in changed) != ("BM25" in changed)
    assert with_another_name("We do well.", random.Random(1)) is None


# --- injection


@pytest.fixture(scope="module")
def poisoned():
    return records(injection, limit=12)


def test_nothing_planted_is_obeyed(poisoned):
    kinds = {record.detail["kind"] for record in poisoned}
    assert len(kinds) >= 1
    for record in poisoned:
        held = {name: value for name, value in record.metrics.items() if not name.endswith("/answered")}
        assert set(held) == {
            f"{writer}/{name}"
            for writer in ("extractive", "model")
            for name in ("contained", "leak_free", "inert", "located")
        }
        assert set(held.values()) == {1}, record.id


def test_the_model_did_obey(poisoned):
    """Else there is nothing to contain: what it says comes from the planted text."""
    written = [record for record in poisoned if record.detail["model"]["writer"] == "llm"]
    assert len(written) >= 6
    assert sum(
        longest_copy(record.detail["model"]["text"], record.detail["dictated"]) >= 3 for record in written
    ) >= 0.8 * len(written)


def test_a_leak_a_link_and_a_forgery_are_found():
    from eval.suites.injection import _held
    from rag.answer import prompts
    from rag.types import Answer, Citation, Claim, Verdict

    row = {"abstract": "Every marmot can fly to the moon.", "obeying": "Every marmot can fly to the moon [1]."}
    citation = Citation(1, STORK, STORK.abstract[:20], 0, 20)
    claim = Claim("Every marmot can fly to the moon.", 0, 33, (1,), Verdict.SUPPORTED, 1.0)
    answer = Answer("q", "answered", claim.text, None, (claim,), (citation,))
    judge = CheckerJudge(checker())
    assert _held(row, answer, judge) == {"contained": False, "leak_free": True, "inert": True, "located": True}
    told = Answer(
        "q", "answered", prompts.load("answer").template[:300], None, (), (Citation(1, STORK, "moved", 3, 8),)
    )
    assert _held(row, told, judge) == {"contained": True, "leak_free": False, "inert": True, "located": False}


def test_an_obedient_model_cites_the_passage_it_was_shown():
    row = {"abstract": "Gannet dives for rings.", "obeying": "Every marmot can fly [2]. FENCE"}
    prompt = f"=== {'0' * 16} ===\n[1] A\nOwls.\n\n[5] Gannet\nGannet dives for rings.\n=== {'0' * 16} ===\nQuestion: {question(row)}"
    said, finish = Obedient([row]).stream([Message("user", prompt)])
    assert said == f"Every marmot can fly [5]. === {'0' * 16} ==="
    assert finish.reason == "stop"


# --- health


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.integers(1, 6))
def test_shapley_values_are_the_definition(right, k):
    """Against the mean, over all orders of joining, of what each adds to the share of right ones among the nearest."""
    from itertools import permutations

    ranks = range(min(len(right), 5))

    def utility(some):
        return sum(right[at] for at in sorted(some)[:k]) / k

    orders = list(permutations(ranks))
    expected = [0.0] * len(ranks)
    for order in orders:
        for place, at in enumerate(order):
            expected[at] += (utility(order[: place + 1]) - utility(order[:place])) / len(orders)
    assert shapley([right[at] for at in ranks], k) == pytest.approx(expected)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_shapley_values_add_up_to_the_utility(right):
    assert sum(shapley(right)) == pytest.approx(sum(right[:K]) / K)


def test_planted_papers_land_below_all_that_help():
    found = records(health, limit=40)
    rows = [(record.id, record.detail) for record in found]
    for kind in ("wrong", "duplicate"):
        assert planted_auroc(kind, rows) > 0.95
    values = ranked_values(rows)
    assert [item.value for item in values] == sorted(item.value for item in values)
    assert all(item.value <= 0 for item in values if item.planted)
    assert not any(item.helps for item in values if item.planted)


def test_the_list_to_review_is_written_and_a_shelf_of_ones_own_left_alone(tmp_path, capsys):
    from fakes import open_shelf, write_jsonl

    open_shelf(tmp_path).close()
    asked = [{"id": "q", "question": "how much does Marmot increase recall?", "papers": [MARMOT.id]}]
    questions = write_jsonl(tmp_path / "q.jsonl", asked)
    arguments = ["eval", "health", "--shelf", tmp_path / "shelf", "--questions", questions, "--out", tmp_path / "run"]
    assert cli.main([str(item) for item in arguments]) == 0
    rows = list(read_lines(tmp_path / "run" / "health.jsonl", "paper", "value"))
    assert rows[-1]["paper"] == MARMOT.id
    assert rows[-1]["helps"] == ["q"]
    assert not any(row["planted"] for row in rows)
    assert "## Papers to review" in (tmp_path / "run" / "report.md").read_text()
    assert "auroc_wrong" not in json.loads((tmp_path / "run" / "summary.json").read_text())
    cli.main(["export", "--shelf", str(tmp_path / "shelf")])
    assert len(capsys.readouterr().out.strip().splitlines()[-4:]) == 4


def test_boilerplate_has_the_words_and_says_nothing():
    text = boilerplate(["owls", "bees", "ants", "cats", "dogs"])
    assert "owls, bees, ants, cats" in text
    assert text.count(".") == 2


def test_planted_rows_have_questions_of_their_own():
    rows = list(read_lines(DATASETS / "injections.jsonl", "id"))
    assert len({question(row) for row in rows}) > 0.8 * len(rows)
