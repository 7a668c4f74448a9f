"""What a paper may be called in a question: names in its title and names its abstract introduces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from rag.ingest.repair import readable
from rag.types import Paper

# What stands before a title's colon is a name when it is this short.
LONGEST_NAME = 4
WORD = re.compile(r"[A-Za-z][\w'.+-]*(?:\w|\+)(?:\(\))?")
DEFINED = re.compile(r"\(((?:[A-Z]|[a-z]+[A-Z])[\w'.+-]{1,15})\)")
# Abbreviations of the field that name no paper.
GENERAL = frozenset("""
    ai asr bert bleu clip cnn cnns cot cpu cpus dnn f1 flops gan gpt gpu gpus icl ir kg kgs kv llm llms lm lms
    lstm ml mlm mlp moe mt nas ner nlg nli nlp nlu nn nns ocr peft plm plms ptq qa qat rag rl rlhf rnn rnns
    rouge sft sgd slm slms soa sota sql ssm ssms t5 tts uq vit vlm vlms vqa
    """.split())  # fmt: skip


def key(name: str) -> str:
    """A name as it is looked up: case-folded letters and digits (`LLM.int8()` to `llmint8`)."""
    return "".join(re.findall(r"[^\W_]+", name.casefold()))


def names(paper: Paper) -> set[str]:
    """Keys of the paper's names: its title, the words before the colon, name-like words of the title,
    abbreviations in brackets, and names that the abstract repeats."""
    return {
        found
        for name in _written(paper)
        if len(found := key(name)) >= 2 and found not in GENERAL and not found.isdigit()
    }


def short_name(title: str) -> str | None:
    """The name before a title's colon ("LoLCATs"), or None."""
    head, colon, _ = title.partition(": ")
    return head if colon and len(head.split()) <= LONGEST_NAME else None


def looks_like_name(word: str) -> bool:
    """Whether a part between hyphens has a capital or digit after its first character: LoLCATs, mGPT, KNN-LM, int8."""
    return any(re.search(r"(?<=.)[A-Z0-9]", part) and re.search("[A-Za-z]", part) for part in word.split("-"))


def _written(paper: Paper) -> Iterator[str]:
    title = readable(paper.title)
    abstract = readable(paper.abstract)
    head, colon, _ = title.replace(" -- ", ": ").partition(": ")
    if colon and len(head.split()) <= LONGEST_NAME:
        yield re.sub(r"\s*\([^()]*\w[^()]*\)", "", head)  # "Reactive Transformer (RxT)"
        yield head
    yield title
    # "KV Prediction for Improved Time ...": short, capitalised, with a name in it.
    front = re.split(r" (?:for|via|with|using|in|on|by|through|from|of|is|are|as|to|and) ", title)[0]
    if 1 < len(front.split()) <= 3 and any(looks_like_name(word) for word in front.split()):
        yield front
    yield from (
        part
        for word in head.split()
        if len(part := word.partition("-")[0]) > 4
        and part[0].isupper()
        and colon
        and "-" in word
        and len(head.split()) == 1
    )
    yield from (word for word in WORD.findall(title) if looks_like_name(word))
    for text in (title, abstract):
        for found in DEFINED.finditer(text):
            yield found[1]
            yield from _expansion(found[1], text[: found.start()])
    if colon and head.isupper():  # "HMT: Hierarchical Memory Transformer for ..."
        yield from _expansion(head, " ".join(title[len(head) + 1 :].split()[: len(head)]))
    # What a paper proposes it says twice, capitalised within a sentence: "Ditto", "DeltaNet".
    repeated = Counter(WORD.findall(abstract))
    within = set(re.findall(r"(?<=[a-z,] )[A-Za-z][\w'.+-]*\w", abstract))
    yield from (
        word
        for word, count in repeated.items()
        if count > 1 and (looks_like_name(word) or (word in within and word[0].isupper()))
    )


def _expansion(acronym: str, before: str) -> Iterator[str]:
    """The words at the end of `before` whose initials are the acronym's letters."""
    letters = [letter for letter in acronym.casefold() if letter.isalpha()]
    last = re.findall(r"[A-Za-z]+", before)[-len(letters) :]
    if len(letters) > 1 and acronym.casefold() not in GENERAL and [word[0].casefold() for word in last] == letters:
        yield " ".join(last)
