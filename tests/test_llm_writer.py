"""The writer with a language model: what it asks, what it makes of the answer, what it does when that is bad."""

import asyncio
import re
import threading
import time

import pytest
from fakes import CRANE, MARMOT, ZEBRA, Parrot, open_shelf, paper

from rag import Assistant
from rag.answer.language_model import Finish
from rag.answer.models import open_model
from rag.config import Settings
from rag.errors import UsageError
from rag.types import Verdict

QUESTION = "how much does Marmot increase recall over BM25?"
COMPARE = "compare Marmot and CraneNet"
RECALL = "Marmot increases recall by 4.5 points over BM25."
GOOD = f"{RECALL[:-1]} [1]."


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with open_shelf(tmp_path_factory.mktemp("llm"), settings=Settings()) as opened:
        yield opened


@pytest.fixture
def ask(shelf, monkeypatch):
    """The answer and the parrot that was asked."""

    def asked(*script, question=QUESTION, history=None, strict=False, asynchronous=False, layout="found", **more):
        parrot = Parrot(*script, **more)
        monkeypatch.setattr(shelf, "_model", parrot)
        monkeypatch.setattr(shelf, "_config", Settings(strict=strict, llm_layout=layout))
        if asynchronous:
            return asyncio.run(shelf.aask(question, history)), parrot
        return shelf.ask(question, history), parrot

    return asked


@pytest.fixture
def events(shelf, monkeypatch):
    def streamed(*script, **more):
        monkeypatch.setattr(shelf, "_model", Parrot(*script, **more))
        monkeypatch.setattr(shelf, "_config", Settings())
        return list(shelf.stream(QUESTION))

    return streamed


def verdicts(answer):
    return [str(claim.verdict) for claim in answer.claims]


def test_events_of_a_good_answer(events):
    found = events(GOOD)
    kinds = [event.kind for event in found]
    assert [event.text for event in found if event.kind == "status"] == ["searching", "writing", "checking"]
    assert kinds[-1] == "final"
    assert kinds.count("token") > 5
    assert "".join(event.text for event in found if event.kind == "token") == f"{RECALL} [1]" == found[-1].answer.text
    assert [event.citation for event in found if event.citation] == list(found[-1].answer.citations)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_one_good_answer_is_one_call(ask, asynchronous):
    answer, parrot = ask(GOOD, asynchronous=asynchronous)
    assert (answer.text, answer.writer, answer.model) == (f"{RECALL} [1]", "llm", "parrot")
    assert (answer.flags, answer.usage) == ({}, {"input_tokens": 5, "output_tokens": 3})
    assert re.fullmatch("[0-9a-f]{12}", answer.prompt_hash)
    assert {"retrieve", "write"} <= set(answer.timings_ms)
    assert len(parrot.asked) == 1


BAD = f"{GOOD} Marmot decreases recall by 4.5 points over BM25 [1]. It can fly. It swims [9]."


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_repair_tells_what_was_wrong_and_is_kept_when_better(ask, asynchronous):
    answer, parrot = ask(BAD, GOOD, asynchronous=asynchronous)
    assert answer.text == f"{RECALL} [1]"
    assert answer.flags == {"repaired": 1}
    assert answer.usage == {"input_tokens": 10, "output_tokens": 6}
    assert re.fullmatch(r"[0-9a-f]{12}\+[0-9a-f]{12}", answer.prompt_hash)
    first, second = parrot.asked
    assert [message.role for message in second] == ["user", "assistant", "user"]
    assert (second[0], second[1].content) == (first[0], BAD)
    told = second[2].content
    assert re.search(r"- “Marmot decreases recall by 4\.5 points over BM25\.”: .+", told)
    assert "- “It can fly.”: it names no passage." in told
    assert "- “It swims.”: there is no passage [9], only 1 to 1." in told
    assert RECALL not in told


def test_a_repair_repeats_no_thoughts_and_no_control_tokens(ask):
    said = f"<think>Hm.</think>{GOOD} It can <|im_end|> fly [INST] now [/INST]."
    _, parrot = ask(said, "")
    _, own, told = parrot.asked[1]
    assert "Hm" not in own.content
    assert "- “It can ‹|im_end|› fly (INST) now (/INST).”: it names no passage." in told.content


@pytest.mark.parametrize(
    "second",
    [
        BAD,
        "It can fly.",
        "Marmot increases recall by 9 points [1].",
        "NOT ON THE SHELF",
        "",
        [RuntimeError("no memory")],
        [GOOD],
        [GOOD, Finish("length")],
    ],
    ids=["the same", "less", "wrong", "declines", "empty", "fails", "cut", "length"],
)
def test_a_repair_that_is_not_better_is_not_taken(ask, second):
    answer, parrot = ask(BAD, second)
    assert verdicts(answer) == ["supported", "contradicted", "unsupported", "unsupported"]
    assert answer.flags == {"unknown_markers": 1, "uncited": 2}
    assert answer.text.endswith("It can fly. It swims. [9: no such passage]")
    assert len(parrot.asked) == 2


def test_a_repair_may_find_that_nothing_is_said(ask):
    answer, _ = ask("It can fly.", "NOT ON THE SHELF")
    assert answer.status == "abstained"


def test_strict_removes_what_is_not_supported_with_a_note(ask):
    answer, _ = ask(f"Marmots fly. {BAD}", "It can fly.", strict=True)
    assert answer.text == f"{RECALL} [1]\n\n(4 sentences were removed, because the papers do not support them.)"
    assert verdicts(answer) == ["supported"]
    (claim,) = answer.claims
    assert answer.text[claim.start : claim.end] == claim.text
    assert answer.flags["removed"] == 4
    assert "(1 sentence was removed" in ask(f"- {GOOD}\n- Marmots fly.", "", strict=True)[0].text


def test_strict_with_nothing_left_gives_the_extractive_answer(ask):
    answer, _ = ask("Marmots fly.", "Marmots swim.", strict=True)
    assert answer.writer == "extractive"
    assert "nothing that the language model parrot says is supported" in answer.text


@pytest.mark.parametrize(
    "said",
    ["NOT ON THE SHELF", " not on the shelf.\n", "**NOT ON THE SHELF**", "NOT ON THE SHELF. The passages say nothing."],
)
def test_the_model_may_abstain(ask, events, said):
    answer, parrot = ask(said)
    assert (answer.status, answer.claims, answer.citations, answer.papers) == ("abstained", (), (), ())
    assert "found no answer" in answer.reason
    assert MARMOT.title in answer.text
    assert len(parrot.asked) == 1
    assert not [event for event in events(said, letters=1) if event.kind == "token"]


def test_a_word_like_the_refusal_is_text(events):
    found = events("Notes on Marmot increases recall by 4.5 points over BM25 [1].", "")
    assert "".join(event.text for event in found if event.kind == "token").startswith("Notes on Marmot")


def test_thoughts_are_not_shown(events):
    found = events(f"<think>\nPassage 1 says it. [9]\n</think>\n\n{GOOD}", letters=3)
    assert "".join(event.text for event in found if event.kind == "token") == f"{RECALL} [1]"
    assert found[-1].answer.flags == {}


GIVING_BACK = {
    "prompt": lambda prompt: prompt,
    "rules": lambda prompt: "Sure! " + next(line for line in prompt.splitlines() if line.startswith("- Every")),
    "rules reworded": lambda _: "My rules: every sentence states ONE thing that the passages say; I must obey.",
    "fence": lambda prompt: "The secret is " + re.search("=== (.*) ===", prompt)[1],
    "passages": lambda prompt: prompt.split("===")[4],
    "without end": lambda _: "Marmot increases recall. " * 60,
    "one word": lambda _: "Marmot " * 200,
    "letters": lambda _: "a" * 400,
    "sentences": lambda _: "\n".join(f"- Marmot increases recall by 4.5 points over BM25 [{n}].\n- {n} is a number." for n in range(9)),
}  # fmt: skip


@pytest.mark.parametrize("case", GIVING_BACK)
@pytest.mark.parametrize("letters", [4, 10_000])
def test_a_model_that_gives_no_answer_of_its_own(ask, case, letters):
    question = COMPARE if case == "passages" else QUESTION
    answer, parrot = ask(GIVING_BACK[case], question=question, letters=letters)
    assert (answer.writer, answer.status) == ("extractive", "answered")
    assert re.search(r"instead of an answer|repeats itself without end", answer.text)
    assert "=== " not in answer.text
    assert len(parrot.asked) == 1


def test_long_answers_with_likeness_are_answers(ask):
    said = "\n".join(f"| row {n} | --------- | ... |" for n in range(8)) + f"\n{GOOD}"
    assert ask(said, "")[0].writer == "llm"


def test_errors_of_a_model_of_the_users_own_are_mapped(ask):
    answer, _ = ask([RuntimeError("CUDA out of memory Bearer abc123")])
    assert "the language model parrot did not answer: CUDA out of memory Bearer ...; " in answer.text


@pytest.mark.parametrize(
    "question", ["how do volcanoes on Io erupt?", "who wrote Marmot?", "how many papers are from 1999?"]
)
def test_no_model_is_asked_when_the_shelf_has_no_answer(ask, question):
    answer, parrot = ask(question=question)
    assert (answer.status, parrot.asked) == ("abstained", [])


@pytest.mark.parametrize(
    "question", ["how many papers are from 2024?", "when was Marmot published?", "how many papers are about zebras?"]
)
def test_no_model_is_asked_for_records_and_counts(ask, question):
    answer, parrot = ask(question=question)
    assert (answer.status, answer.writer, parrot.asked) == ("answered", "extractive", [])


def test_the_question_stands_by_itself(ask):
    before, first = ask(GOOD)
    assert "Earlier questions" not in first.prompts[0]
    answer, parrot = ask("Training takes 17 hours [1].", question="and how long does it train?", history=[before])
    *_, earlier, question, about = parrot.prompts[0].strip().splitlines()
    assert earlier == f"Earlier questions: {QUESTION}"
    assert question == "Question: and how long does it train?"
    assert about == f"It asks about: {MARMOT.title}"
    assert answer.citations[0].paper.id == MARMOT.id


def test_of_those_names_the_papers(ask):
    before = {"question": "which papers are about zebra stripes or meals?", "papers": [ZEBRA.id, CRANE.id]}
    _, parrot = ask(GOOD, "", question="which of those were tried at dinners by guests?", history=[before])
    assert "\nIt asks about: CraneNet: Planning Meals\n" in parrot.prompts[0]


def test_history_is_bounded(ask):
    long = "what about zebra stripes and flies? " * 30
    history = [{"question": f"{long} {n}", "papers": [ZEBRA.id]} for n in range(3)]
    _, parrot = ask(GOOD, "", question=QUESTION, history=history)
    assert len(parrot.prompts[0]) < 3_000
    assert "Earlier questions" not in parrot.prompts[0]


def passages(prompt):
    """Numbers and names of the passages, for each time that they are told."""
    told = re.split("^=== [0-9a-f]{16} ===$", prompt, flags=re.MULTILINE)[1::2]
    return [re.findall(r"^\[(\d+)\] (\w+)", one, re.MULTILINE) for one in told]


@pytest.mark.parametrize(("order", "first"), [("found", MARMOT), ("best-first", CRANE), ("best-last", MARMOT)])
@pytest.mark.parametrize("twice", [False, True])
def test_passages_are_shown_in_the_order_that_is_set(ask, order, first, twice):
    question = "compare Marmot and CraneNet: how are meals planned for guests at dinners?"
    layout = f"{order}-twice" if twice else order
    second = CRANE if first is MARMOT else MARMOT
    said = f"{RECALL[:-1]} [{1 if first is MARMOT else 2}]."
    answer, parrot = ask(said, question=question, layout=layout)
    (prompt,) = parrot.prompts
    told = [("1", first.title.split(":")[0]), ("2", second.title.split(":")[0])]
    assert passages(prompt) == [told, told] if twice else [told]
    assert prompt.count(f"Question: {question}") == 1 + twice
    assert answer.citations[0].paper.id == MARMOT.id, "numbers mean what the model was shown"
    hashed, _, rest = answer.prompt_hash.partition("+")
    assert rest == ("" if layout == "found" else layout)
    assert (hashed == ask(said, question=question)[0].prompt_hash) is not twice


def test_passages_told_twice_take_twice_the_room(ask):
    question = "which papers are about meals, stripes, notes or songs?"
    once, again = (
        ask("CraneNet plans meals [1].", "", question=question, window=800, layout=layout)[1].prompts[0]
        for layout in ("found", "found-twice")
    )
    assert len(passages(once)[0]) > len(passages(again)[0]) > 0
    assert len(again) <= 3 * 800


def test_papers_that_do_not_fit_are_left_out_and_it_is_said(ask):
    question = "which papers are about meals, stripes, notes or songs?"
    answer, parrot = ask("CraneNet plans meals [1].", "", question=question, window=700)
    shown = len(re.findall(r"^\[\d+\] ", parrot.prompts[0], re.MULTILINE))
    found = re.search(r"was shown the nearest (\d+) of (\d+) papers", answer.text)
    assert int(found[1]) == shown < int(found[2])


def test_the_shelf_is_told_of_collisions(tmp_path):
    twin = paper("Marmot: Burrows", "Marmot digs burrows in the mountains. It digs 12 metres a day.")
    with open_shelf(tmp_path, [MARMOT, twin, CRANE]) as opened:
        opened._model = Parrot("Marmot increases recall by 4.5 points over BM25 [1].", "")
        assert "“Marmot” is the name of 2 papers here." in opened.ask(QUESTION).text


def test_streams_that_are_left_are_closed(shelf, monkeypatch):
    closed = threading.Event()

    class Slow(Parrot):
        def stream(self, messages):
            try:
                while True:
                    yield "word "
                    time.sleep(0.01)
            finally:
                closed.set()

    monkeypatch.setattr(shelf, "_model", Slow())
    events = shelf.stream(QUESTION)
    assert next(event for event in events if event.kind == "token")
    events.close()
    assert closed.wait(5)


def test_a_model_that_waits_does_not_hold_up_the_loop(shelf, monkeypatch):
    class Waiting(Parrot):
        async def astream(self, messages):
            await asyncio.sleep(0.5)
            yield GOOD
            yield Finish("stop")

    async def together():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        began = time.monotonic()
        answers = await asyncio.gather(*(shelf.aask(QUESTION) for _ in range(8)))
        ticking.cancel()
        return answers, time.monotonic() - began, ticks

    monkeypatch.setattr(shelf, "_model", Waiting())
    answers, seconds, ticks = asyncio.run(together())
    assert [answer.text for answer in answers] == [f"{RECALL} [1]"] * 8
    assert seconds < 3  # one after the other they would take 4
    assert ticks > 20


def test_astream_can_be_cancelled(shelf, monkeypatch):
    class Waiting(Parrot):
        async def astream(self, messages):
            yield "Marmot "
            await asyncio.sleep(60)

    async def cancelled():
        async with asyncio.timeout(1):
            async for _ in shelf.astream(QUESTION):
                pass

    monkeypatch.setattr(shelf, "_model", Waiting())
    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())


def test_ask_works_within_a_running_loop(ask):
    async def within():
        return ask(GOOD)[0]

    assert asyncio.run(within()).claims[0].verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    "name", ["", "gpt-4", "openai:", "openai: ", "hf:", "HF:x", "anthropic:claude", ":", 3, object()]
)
def test_what_is_no_model_is_a_usage_error(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        Assistant.open(tmp_path, llm=name)
    assert "openai:MODEL" in caught.value.hint
    assert "hf:PATH" in caught.value.hint


def test_names_of_models():
    assert open_model("openai:a/b:latest", Settings()).name == "a/b:latest"
    assert open_model("hf:org/tiny", Settings()).name == "org/tiny"
    parrot = Parrot()
    assert open_model(parrot, Settings()) is parrot


def test_the_default_is_no_model(shelf, monkeypatch):
    monkeypatch.setattr(shelf, "_model", None)
    answer = shelf.ask(QUESTION)
    assert answer.writer == "extractive"
    assert "(Written" not in answer.text
