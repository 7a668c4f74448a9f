"""What is wanted to know: figures, things, wholes, and details that an abstract cannot hold."""

import pytest
from fakes import MARMOT
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.aspect import WHOLE, asks_figure, asks_in_general, strange_names, thing_asked, unstated

TEXT = f"{MARMOT.title}. {MARMOT.abstract}"


@pytest.mark.parametrize(
    ("question", "figure", "thing"),
    [
        ("how many GPUs does it need?", True, "GPUs"),
        ("how much memory does Heron save?", True, "memory"),
        ("on how many recipes was it trained?", True, "recipes"),
        ("what percentage of dinners?", True, "dinners"),
        ("what proportion of guests was pleased?", True, "guests"),
        ("what accuracy does it have?", True, "accuracy"),
        ("accuracy of CraneNet on dinners", True, "accuracy"),
        ("how large is the vocabulary?", True, "vocabulary"),
        ("how big is the training set?", True, "training set"),
        ("number of bird species", True, "bird species"),
        ("how much faster than BM25 is it?", True, "faster"),
        ("what speed-up does Heron reach?", True, "speed-up"),
        ("what learning rate did Marmot use?", False, "learning rate"),
        ("which learning rate was used?", False, "learning rate"),
        ("what are the main results?", False, "main results"),
        ("how high was the recall of Marmot?", False, "recall"),
        ("how does Heron sort?", False, ""),
        ("why is it slow?", False, ""),
        ("when was it published?", False, ""),
        ("what does Marmot do?", False, ""),
        ("", False, ""),
    ],
)
def test_the_thing_asked_for_and_whether_it_is_a_figure(question, figure, thing):
    assert (asks_figure(question), thing_asked(question)) == (figure, thing)


@given(st.text(max_size=80))
def test_the_thing_asked_for_stands_in_the_question(question):
    thing = thing_asked(question)
    assert thing in question
    assert thing == thing.strip()


@pytest.mark.parametrize(
    ("question", "detail", "stated"),
    [
        ("what learning rate did Marmot use?", "a learning rate", "The learning rate is small."),
        ("which batch size did it take?", "a batch size", "In batches of 32."),
        ("how many epochs?", "how many epochs", "After one epoch it is done."),
        ("how many random seeds were run?", "random seeds", "We average over seeds."),
        ("which optimizer did Marmot use?", "an optimiser", "We use AdamW."),
        ("how much did it cost?", "a price", "It costs $30."),
        ("under which licence is it?", "a licence", "The license is free."),
        ("how large is the vocabulary?", "a vocabulary", "A vocab of words."),
        ("what context length does it have?", "a context length", "It reads 128k at once."),
        ("how well do the annotators agree?", "agreement between annotators", "Kappa is high."),
        ("how many layers does it have?", "layers", "It has few layers."),
        ("how many attention heads?", "attention heads", "It has a head."),
        ("how many gigabytes of memory?", "a size on disk or in memory", "It needs 3 GB."),
        ("what is its carbon footprint?", "emissions", "CO2 is saved."),
        ("how many watts does it draw?", "energy in watts", "It takes 5 kWh."),
        ("what word error rate?", "a word error rate", "WER falls."),
        ("what BLEU score does it get?", "a BLEU score", "BLEU rises."),
        ("what ROUGE score does it get?", "a ROUGE score", "ROUGE rises."),
        ("what F1 does it reach?", "an F1 score", "The F-score rises."),
        ("what perplexity does it reach?", "a perplexity", "PPL falls."),
        ("which mean average precision?", "an average precision", "Its mAP is 3."),
        ("who funded the work?", "funding", "It had a grant."),
        ("which sampling temperature?", "a temperature", "At temperature 1."),
        ("on which backbone is it built?", "a backbone", "It is fine-tuned from another."),
    ],
)
def test_a_detail_that_the_abstract_does_not_speak_of(question, detail, stated):
    assert unstated(question, TEXT) == detail
    assert unstated(question, f"{TEXT} {stated}") is None
    assert unstated("what does Marmot do?", TEXT) is None


@pytest.mark.parametrize(
    "question",
    ["how many hours did training take?", "how many machines were needed?", "how long did it take to train?", "how much recall does it gain?", "why is search hard?", "why does the rate of learning matter?", ""],
)  # fmt: skip
def test_what_the_abstract_may_hold_is_not_missed(question):
    assert unstated(question, TEXT) is None


@pytest.mark.parametrize(("question", "without"), [("how many minutes did it take?", "It is fast."), ("on how many GPUs was it trained?", "It is big.")])  # fmt: skip
def test_a_time_and_a_machine_are_missed_where_there_is_none(question, without):
    assert unstated(question, without) is not None
    assert unstated(question, TEXT) is None


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("does Marmot beat BEIR?", ["BEIR"]),
        ("Marmot's QuAC score and SQuAD2?", ["QuAC", "SQuAD2"]),
        ("does Marmot run in int8?", ["int8"]),
        ("does Marmot beat BM25?", []),  # in the text
        ("is MARMOT good, and Marmot-X?", []),  # its own name
        ("does Marmot use LLMs or an LSTM?", []),  # of the field
        ("does Marmot read notes?", []),
    ],
)
def test_names_that_the_paper_does_not_have(question, names):
    assert strange_names(question, ["Marmot"], TEXT) == names


def test_a_name_of_the_paper_need_not_stand_in_its_text():
    assert strange_names("does QuuxNet-B cook? does QuuxNetB?", ["QuuxNet-B"], "A soup.") == []
    assert strange_names("does QuuxNet-B cook?", ["SoupNet"], "A soup.") == ["QuuxNet-B"]


@pytest.mark.parametrize(
    ("question", "names", "general"),
    [
        ("explain Marmot in two lines", ["Marmot"], True),
        ("what is Marmot?", ["Marmot"], True),
        ("what does the Stork Compiler propose?", ["Stork Compiler"], True),
        ("gist of marmot", ["Marmot"], True),
        ("what is the recall of Marmot?", ["Marmot"], False),
        ("main contribution of Marmot and Crane", ["Marmot"], False),
        ("summarize", [], False),  # of nothing
        ("summarize", [""], False),
    ],
)
def test_a_question_for_a_paper_as_a_whole(question, names, general):
    assert asks_in_general(question, names) is general


@given(st.lists(st.sampled_from(sorted(WHOLE))), st.sampled_from(["recall", "horses", "price"]))
def test_one_word_of_its_own_makes_a_question_particular(wholes, own):
    assert asks_in_general(" ".join(["Marmot", *wholes]), ["Marmot"])
    assert not asks_in_general(" ".join(["Marmot", *wholes, own]), ["Marmot"])
