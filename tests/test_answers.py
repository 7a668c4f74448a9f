"""From question to evidence to answer, over a small shelf of invented papers with the real encoder."""

import asyncio
import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import Assistant
from rag.answer import extractive
from rag.errors import ShelfMissing, UsageError
from rag.types import Evidence, Paper, Query, Shape, Span, Verdict

PAPERS = [
    {"title": "Heron: Sorting in Linear Time", "abstract": "Sorting is everywhere. We present Heron, a sorting network for integers that runs in linear time. On the Marsh benchmark Heron is 4.5times faster than quicksort and uses 12\\% less memory. Code is released.", "date": "2021-05-04", "author_count": 3},
    {"title": "CraneNet: Planning Meals", "abstract": "CraneNet plans meals that simmer for hours. It was trained on 9,000 recipes from twelve countries. Guests preferred its menus to those of a human cook in 71.5\\% of dinners.", "date": "2024-02-01", "author_count": 11},
    {"title": "The Stork Compiler", "abstract": "The Stork compiler turns bird songs into sheet music.It reads recordings of 31 species. Musicians could play 84 percent of its output without a change."},
    {"title": "Sorting Cards With Robot Arms", "abstract": "Robot arms learn to sort playing cards by suit. Sorting a deck takes the arm 93 seconds, whereas people need 60. The arms were trained in simulation only.", "date": "2023-09-09"},
]  # fmt: skip


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    (folder / "papers.jsonl").write_text("".join(json.dumps(paper) + "\n" for paper in PAPERS), encoding="utf-8")
    with Assistant.open(folder / "shelf") as assistant:
        assistant.ingest([folder / "papers.jsonl"])
        yield assistant


def titles(answer):
    return [paper.title.split(":")[0] for paper, _ in answer.papers]


@pytest.mark.parametrize(
    ("question", "papers", "said"),
    [
        ("how much faster than quicksort is Heron?", ["Heron"], "4.5× faster"),
        ("on how many recipes was CraneNet trained?", ["CraneNet"], "9,000 recipes"),
        ("how many bird species does the compiler know?", ["The Stork Compiler"], "31 species"),
        ("how long does a robot arm need for a deck of cards?", ["Sorting Cards With Robot Arms"], "93 seconds"),
    ],
)
def test_a_fact_is_told_by_the_sentence_that_holds_it(assistant, question, papers, said):
    answer = assistant.ask(question)
    assert titles(answer) == papers
    assert said in answer.text


def test_a_comparison_tells_of_every_side(assistant):
    answer = assistant.ask("Heron vs CraneNet: what were they measured against?")
    assert titles(answer) == ["Heron", "CraneNet"]


def test_a_list_keeps_what_belongs(assistant):
    assert set(titles(assistant.ask("which papers are about sorting?"))) == {"Heron", "Sorting Cards With Robot Arms"}


@pytest.mark.parametrize(
    ("question", "papers"),
    [
        ("papers from 2021", ["Heron"]),
        ("papers since 2023", ["CraneNet", "Sorting Cards With Robot Arms"]),
        ("what is the newest paper?", ["CraneNet"]),
        ("papers with more than ten authors", ["CraneNet"]),
        ("how many papers are from 2024?", ["CraneNet"]),
    ],
)
def test_metadata_runs_as_code(assistant, question, papers):
    answer = assistant.ask(question)
    assert titles(answer) == papers
    assert "no record of" in answer.text, "what has no date or author count is said, not guessed"


@pytest.mark.parametrize(
    "question",
    [
        "quantum error correction with surface codes?",
        "tell me a joke",
        "who wrote the Heron paper?",
        "papers from 1999",
        "???",
        "日本の天気はどうですか",
    ],
)
def test_what_is_not_there_is_said(assistant, question):
    answer = assistant.ask(question)
    assert answer.status == "abstained"
    assert answer.text.startswith("The shelf does not say")
    assert answer.reason
    assert not answer.papers
    assert not answer.claims
    assert not answer.citations


@pytest.mark.parametrize(
    ("question", "detail"),
    [
        ("what learning rate did Heron use?", "a learning rate"),
        ("how many epochs was CraneNet trained for?", "how many epochs"),
        ("what licence is the Stork Compiler under?", "a licence"),
        ("what did CraneNet score on ImageNet?", "ImageNet"),
    ],
)
def test_a_paper_near_in_all_but_the_detail_is_no_answer(assistant, question, detail):
    answer = assistant.ask(question)
    assert answer.status == "abstained"
    assert f"does not speak of {detail}" in answer.reason
    assert not answer.citations


@pytest.mark.parametrize("question", ["Heron vs Foobarium", "Foobarium versus Heron: which is faster?"])
def test_a_side_that_is_not_on_the_shelf_is_said_beside_the_one_that_is(assistant, question):
    answer = assistant.ask(question)
    assert titles(answer) == ["Heron"]
    assert "“Foobarium” is not a paper on this shelf." in answer.text


def test_a_slip_is_mended_and_said(assistant):
    answer = assistant.ask("which papers use rceordings of birds?")
    assert titles(answer) == ["The Stork Compiler"]
    assert "Read “rceordings” as “recordings”." in answer.text
    assert "Read “" not in assistant.ask("which papers use recordings of birds?").text


@pytest.mark.parametrize(
    ("question", "papers", "said"),
    [
        ('which papers say "simmer for hours"?', ["CraneNet"], "simmer for hours"),
        ('which papers on sorting say "in simulation only"?', ["Sorting Cards With Robot Arms"], "in simulation only"),
        ('which papers on bird songs say "no such words"?', ["The Stork Compiler"], "exact words “no such words”"),
    ],
)
def test_words_in_quotation_marks_are_found_as_they_stand(assistant, question, papers, said):
    answer = assistant.ask(question)
    assert titles(answer) == papers
    assert said in " ".join([answer.text, *(citation.paper.abstract for citation in answer.citations)])


def test_what_a_question_leaves_out_is_not_in_the_answer(assistant):
    assert titles(assistant.ask("which papers are about sorting, but not with robot arms?")) == ["Heron"]


def test_follow_ups_lean_on_the_answer_before(assistant):
    first = assistant.ask("what does Heron sort?")
    assert titles(assistant.ask("and how much memory does it save?", history=[first])) == ["Heron"]
    assert titles(assistant.ask("which of those are from 2021?", history=[first])) == ["Heron"]
    assert assistant.ask("which of those are from 2024?", history=[first]).status == "abstained"
    as_text = assistant.ask("and how much memory does it save?", history=["what does Heron sort?"])
    as_mapping = assistant.ask(
        "and how much memory does it save?",
        history=[{"question": "what does Heron sort?", "papers": [first.papers[0][0].id]}],
    )
    assert titles(as_text) == titles(as_mapping) == ["Heron"]


QUESTIONS = ["which papers are about sorting?", "how fast is Heron?", "Heron vs CraneNet", "papers since 2021", "how many papers are there since 2020?", "which papers mention birds or music"]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_contract_of_an_answer(assistant, question):
    answer = assistant.ask(question)
    data = json.loads(answer.to_json())
    assert list(data) == [
        "question",
        "status",
        "reason",
        "text",
        "claims",
        "citations",
        "papers",
        "writer",
        "model",
        "usage",
        "timings_ms",
        "prompt_hash",
    ]
    assert answer.status == "answered"
    for citation in answer.citations:
        assert citation.paper.abstract[citation.start : citation.end] == citation.quote
        assert f"[{citation.number}]" in answer.text
    for claim in answer.claims:
        assert answer.text[claim.start : claim.end] == claim.text
        assert claim.citations
        assert claim.verdict is Verdict.SUPPORTED
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert [paper.id for paper, _ in answer.papers] == list(
        dict.fromkeys(citation.paper.id for citation in answer.citations)
    )


@pytest.mark.parametrize(
    ("question", "history", "says"),
    [
        ("when was Heron published?", [], "2021-05-04"),
        ("how many authors does CraneNet have?", [], "11 authors"),
        ("and when is it from?", ["what does Heron sort?"], "2021-05-04"),
        ("when was The Stork Compiler published?", [], "give no date of this paper"),
    ],
)
def test_metadata_of_a_named_paper(assistant, question, history, says):
    assert says in assistant.ask(question, history=history).text


def test_an_ordinal_means_a_paper_of_the_answer_before(assistant):
    first = assistant.ask("which papers are about sorting?")
    second = first.papers[1][0].title.split(":")[0]
    assert titles(assistant.ask("what does the second one say about time?", history=[first])) == [second]


def test_a_topic_lives_on_through_a_question_about_those(assistant):
    first = assistant.ask("which papers are about sorting?")
    second = assistant.ask("which of those are from 2021?", history=[first])
    assert titles(assistant.ask("and from 2023?", history=[first, second])) == ["Sorting Cards With Robot Arms"]


def test_those_of_nothing_is_said(assistant):
    assert "no earlier answer" in assistant.ask("which of those are from 2021?").text


@pytest.mark.parametrize(
    ("question", "papers"),
    [
        ("how many papers are on the shelf?", 4),
        ("which papers have no date?", 1),
        ("undated papers", 1),
    ],
)
def test_questions_about_the_shelf_itself(assistant, question, papers):
    assert len(assistant.ask(question).papers) == papers


def test_papers_by_somebody_unknown_are_not_guessed(assistant):
    assert "no organisation of that name" in assistant.ask("which papers are by Google?").text


def test_filters_narrow_the_answer(assistant):
    assert titles(assistant.ask("which papers are about sorting?", filters={"year": {"gte": 2022}})) == [
        "Sorting Cards With Robot Arms"
    ]
    assert titles(assistant.ask("which papers are about sorting?", filters={"year": 2021})) == ["Heron"]
    with pytest.raises(UsageError, match="unknown filter colour"):
        assistant.ask("which papers are about sorting?", filters={"colour": "red"})


@pytest.mark.parametrize("question", ["", "   ", "\x00\x01", "word " * 20_000])
def test_questions_that_cannot_be_asked(assistant, question):
    with pytest.raises(UsageError) as caught:
        assistant.ask(question)
    assert caught.value.hint


def test_filter_values_are_checked(assistant):
    with pytest.raises(UsageError, match="whole number"):
        assistant.ask("sorting", filters={"year": "soon"})


def test_an_empty_shelf_is_said(tmp_path):
    (tmp_path / "bad.jsonl").write_text("{oops\n", encoding="utf-8")
    with Assistant.open(tmp_path / "shelf") as empty:
        empty.ingest([tmp_path / "bad.jsonl"])
        with pytest.raises(ShelfMissing, match="is empty"):
            empty.ask("anything?")


def test_control_characters_are_not_echoed(assistant):
    assert "\x1b" not in assistant.ask("which papers\x1b[31m are about sorting?").to_json()


def test_asking_before_ingesting_says_what_to_do(tmp_path):
    assistant = Assistant.open(tmp_path / "none")
    with pytest.raises(ShelfMissing, match="there is no shelf"):
        assistant.ask("anything?")
    assert not (tmp_path / "none").exists()


def test_search_ranks_and_shows_the_sentence(assistant):
    found = assistant.search("bird songs", k=2)
    assert found[0].paper.title == "The Stork Compiler"
    best = found[0].spans[0]
    assert "bird songs" in found[0].paper.abstract[best.start : best.end]


def test_many_threads_and_a_task_may_ask_at_once(assistant):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(assistant.ask("how fast is Heron?"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.append(asyncio.run(assistant.aask("how fast is Heron?")))
    assert len({answer.text for answer in answers}) == 1
    assert len(answers) == 7


def test_streaming_ends_with_the_checked_answer(assistant):
    events = list(assistant.stream("how fast is Heron?"))
    assert [event.kind for event in events][-1] == "final"
    assert events[-1].answer.text == "".join(event.text for event in events if event.kind == "token")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.text("abc. XY\\%", min_size=1, max_size=80), st.integers(1, 3)), min_size=1, max_size=4),
    st.sampled_from(list(Shape)),
)
def test_drafts_are_consistent_whatever_the_text(parts, shape):
    evidence = []
    for number, (text, count) in enumerate(parts):
        abstract = text * count
        span = Span(0, len(abstract), 1.0)
        evidence.append(Evidence(Paper(str(number), f"T{number}", abstract), 1.0, 0.5, 1.0, 0.5, 0.5, (span,)))
    draft = extractive.write(Query("q", "topic", shape), evidence)
    for claim in draft.claims:
        assert draft.text[claim.start : claim.end] == claim.text
    for citation in draft.citations:
        assert citation.paper.abstract[citation.start : citation.end] == citation.quote
