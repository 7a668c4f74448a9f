"""What a paper may be called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.names import key, looks_like_name, names
from rag.types import Paper


def of(title: str, abstract: str = "") -> set[str]:
    return names(Paper("id", title, abstract))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("LLM.int8()", "llmint8"),
        ("KNN-LM", "knnlm"),
        ("Talking Heads", "talkingheads"),
        ("a_b", "ab"),
        ("Größe", "grösse"),
        ("?!", ""),
    ],
)
def test_key(name: str, wanted: str):
    assert key(name) == wanted


@pytest.mark.parametrize("word", ["LoLCATs", "mGPT", "KNN-LM", "int8", "LLaMA", "DeltaNet", "T5", "ReBERT-base"])
def test_looks_like_a_name(word: str):
    assert looks_like_name(word)


@pytest.mark.parametrize("word", ["Owls", "owl", "State-of-the-Art", "In-Context", "17", "2023", "A"])
def test_looks_like_a_word(word: str):
    assert not looks_like_name(word)


@pytest.mark.parametrize(
    ("title", "abstract", "found", "absent"),
    [
        ("OwlNet: Sleeping by Day", "", {"owlnet", "owlnetsleepingbyday"}, {"sleepingbyday"}),
        ("OwlNet -- Sleeping by Day", "", {"owlnet"}, {"day"}),
        ("Sleepy Owl Transformer (SOT) -- Naps", "", {"sot", "sleepyowltransformer"}, {"naps"}),
        ("Talking Heads: How Owls Speak", "", {"talkingheads"}, {"howowlsspeak"}),
        ("What Five Long Words Say Here: Owls", "", {"whatfivelongwordssayhereowls"}, {"whatfivelongwordssayhere"}),
        ("SONT: Slow Owl Night Transformer for Bees", "", {"sont", "slowowlnighttransformer"}, set()),
        ("On Linearizing mGPT with LoLOWLs", "", {"mgpt", "lolowls"}, {"linearizing"}),
        ("Owls", "We propose Slow Night Owls (SNO), which hoot.", {"sno", "slownightowls"}, {"hoot"}),
        (
            "Owls",
            "We use large language models (LLMs) and RAG (RAG).",
            {"owls"},
            {"llms", "rag", "largelanguagemodels"},
        ),
        ("Owls", "We present Hooter, a model. On bees, Hooter wins.", {"hooter"}, {"bees", "model", "we", "on"}),
        ("Owls", "We present Hooter, a model, once.", {"owls"}, {"hooter"}),
        ("Owls", "OwlBench is new. It extends OwlBench.", {"owlbench"}, set()),
        ("Owls", "OwlBench is named once.", set(), {"owlbench"}),
        ("LLM.int8(): 8-bit Owls", "", {"llmint8"}, {"bit"}),
        ("GPT: Owls", "", {"gptowls"}, {"gpt"}),
        ("2023: Owls", "", {"2023owls"}, {"2023"}),
    ],
)
def test_names(title: str, abstract: str, found: set[str], absent: set[str]):
    assert found <= of(title, abstract)
    assert not absent & of(title, abstract)


@given(st.text(max_size=60), st.text(st.sampled_from("aB1().'-: ,+_\\") | st.characters(), max_size=150))
def test_any_text_gives_usable_keys(title: str, abstract: str):
    for name in of(title, abstract):
        assert len(name) >= 2
        assert key(name) == name
        assert not name.isdigit()
    assert of(title, abstract) == of(title, abstract)
