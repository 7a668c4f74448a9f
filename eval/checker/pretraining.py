"""Rule-made edits of real abstracts: they teach the encoder to compare a claim with a source before people's labels do.

A few sentences of an abstract are the source. Claims are those sentences told with other words (supported), told so and
then changed in a number, a direction, a "not" or a name (contradicted), given a detail from elsewhere, or sentences of
the abstract that the source leaves out (unsupported). The abstracts are those of BEIR corpora (Thakur et al., 2021;
`corpus.jsonl` in a folder for each collection); nothing of them is kept but weights.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from eval.checker.data import Claim, Group, Label, Part
from rag.index.embed import Embedder
from rag.ingest.repair import readable
from rag.ingest.sentences import split_sentences
from rag.verify.edits import _DIRECTIONS

EDITS_SET = "edits"
# What the untrained views are on average; nothing is measured here, and with these the views decide nothing.
NEUTRAL = (0.516, 0.516, 0.516, 0.516, 1.0, 0.0, 0.0, 0.0, 0.0)
SOURCE_PIECES, CLAIM_PIECES = 220, 64
_FEWEST_WORDS = 50  # of an abstract; in a title nothing can be left out
_SENTENCE_WORDS = range(6, 46)
_MOST_SOURCE, _MOST_TOLD, _MOST_EDITS = 5, 3, 2  # sentences of a source, those told again, edits of each
_SYNONYMS = """
    show/demonstrate/indicate/reveal use/employ/utilize method/approach/technique/procedure improve/enhance
    large/big/substantial small/little/minor propose/introduce/present/suggest study/investigation/work
    result/outcome/finding important/crucial/key/essential help/aid/assist task/problem begin/start fast/quick/rapid
    reduce/lower/decrease/cut increase/raise/boost/grow many/numerous/several model/system perform/carry-out
    obtain/get/achieve/attain produce/generate/yield compare/contrast examine/analyze/inspect/investigate role/function
    cause/lead-to/induce need/require allow/enable/permit novel/new common/frequent/widespread risk/danger cell/cells
    patient/subject high/elevated disease/illness/disorder paper/article evidence/support find/discover/observe
    because/since also/additionally however/but almost/nearly about/approximately main/principal effective/efficient
    accurate/precise associated/linked/correlated significantly/markedly/considerably
    """
_RINGS = [ring.replace("-", " ").split("/") for ring in _SYNONYMS.split()]
SYNONYMS = {word: [other for other in ring if other != word] for ring in _RINGS for word in ring}
OPPOSITES: dict[str, list[str]] = {}
for _left, _right in _DIRECTIONS:
    for _word in sorted(_left | _right):
        OPPOSITES.setdefault(_word, []).extend(sorted(_right if _word in _left else _left))
_DROPPED = frozenset("the a also very here these this that".split())
_SAID_BY = (
    "The authors report that ", "It is shown that ", "They find that ", "According to the paper, ", "The study says ",
)  # fmt: skip
_VERB = re.compile(r"\b(is|are|was|were|can|could|may|does|do|did|has|have|will|should|would)\b")
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?")
_MARKS = ".,;"

Edit = Callable[[str, random.Random], str | None]
Told = tuple[str, Label, str]  # a claim, its label and its kind


def reword(sentence: str, chance: random.Random) -> str:
    """The same with other words: synonyms, clauses turned round, an end left out, words of who says it."""
    told = []
    for word in sentence.split():
        bare = word.strip(_MARKS).lower()
        if bare in SYNONYMS and chance.random() < 0.6:
            told.append(word.lower().replace(bare, chance.choice(SYNONYMS[bare])))
        elif bare not in _DROPPED or chance.random() >= 0.05:
            told.append(word)
    text = " ".join(told)
    clauses = re.match(r"^(\w[^,]{15,80}), (.{20,})\.$", text)
    if clauses and chance.random() < 0.5:
        text = f"{clauses[2]}, {clauses[1]}."
    if chance.random() < 0.3:
        words = text.split()
        left_out = chance.randint(0, max(0, len(words) - 8))
        kept = words[left_out:] if chance.random() < 0.5 else words[: len(words) - min(left_out, len(words) // 3)]
        text = " ".join(kept)
    if chance.random() < 0.2:
        text = chance.choice(_SAID_BY) + text[:1].lower() + text[1:]
    return text


def negated(sentence: str, chance: random.Random) -> str | None:
    """Without its "not", or with one after a verb; None where neither can be."""
    if re.search(r"\b(not|no|without|never)\b", sentence):
        for pattern, instead in ((r"\b(not|never) ", ""), (r"\bno ", "a "), (r"\bwithout\b", "with")):
            text = re.sub(pattern, instead, sentence, count=1)
            if text != sentence:
                return text
        return None
    verbs = list(_VERB.finditer(sentence))
    if not verbs:
        return None
    end = chance.choice(verbs).end()
    return f"{sentence[:end]} not{sentence[end:]}"


def recounted(sentence: str, chance: random.Random) -> str | None:
    """With another number; None where it has none, or the number chosen came out the same."""
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    number = chance.choice(found)
    value = float(number[0])
    other = chance.choice([value * 2, value / 2, value + 1, value * 10, value * 1.3 + 1, max(value - 3, 0) + 0.5])
    written = f"{other:.1f}" if "." in number[0] else str(int(other) + (int(other) == int(value)))
    return None if float(written) == value else sentence[: number.start()] + written + sentence[number.end() :]


def turned(sentence: str, chance: random.Random) -> str | None:
    """With a word of direction turned into one of its opposites (`rag.verify.edits`); None where it has none."""
    words = sentence.split()
    places = [at for at, word in enumerate(words) if word.strip(_MARKS).lower() in OPPOSITES]
    if not places:
        return None
    at = chance.choice(places)
    bare = words[at].strip(_MARKS)
    words[at] = words[at].replace(bare, chance.choice(OPPOSITES[bare.lower()]))
    return " ".join(words)


def _names(text: str) -> list[str]:
    """Words of five letters and more that are neither synonyms of others nor directions."""
    found = re.findall(r"[A-Za-z][\w-]{4,}", text)
    return [word for word in found if word.lower() not in SYNONYMS and word.lower() not in OPPOSITES]


def renamed(abstract: str, other: str) -> Edit:
    """An edit that exchanges two words of a sentence, or puts one of its abstract or of another in place of one."""

    def edit(sentence: str, chance: random.Random) -> str | None:
        own = _names(sentence)
        if len(own) < 3:
            return None
        old = chance.choice(own)
        if chance.random() < 0.4 and len(own) > 4:
            rest = [word for word in own if word.lower() != old.lower()]
            if not rest:
                return None
            new = chance.choice(rest)
            text = sentence.replace(old, "\0").replace(new, old).replace("\0", new)
        else:
            strange = _names(abstract if chance.random() < 0.5 else other)
            new = chance.choice(strange) if strange else old
            if new.lower() == old.lower() or new in sentence:
                return None
            text = sentence.replace(old, new, 1)
        return None if text == sentence else text

    return edit


def detailed(other: str) -> Edit:
    """An edit that adds some words of another text at the end."""

    def edit(sentence: str, chance: random.Random) -> str | None:
        words = other.split()
        length = chance.randint(3, 7)
        start = chance.randint(0, max(0, len(words) - length))
        detail = " ".join(words[start : start + length]).strip(".,")
        link = chance.choice(["for", "on", "with", "using", "and", "in"])
        return f"{sentence.rstrip('.')} {link} {detail}." if detail else None

    return edit


def claims_about(
    source: Sequence[str], rest: Sequence[str], abstract: str, other: str, chance: random.Random
) -> list[Told]:
    """Claims about the sentences of a source.

    Args:
        source: sentences of the abstract, one after the other.
        rest: its other sentences.
        other: another abstract.
    """
    found: list[Told] = []
    for sentence in chance.sample(source, min(len(source), _MOST_TOLD)):
        if len(sentence.split()) not in _SENTENCE_WORDS:
            continue
        found.append((reword(sentence, chance), Label.SUPPORTED, "paraphrase"))
        strange = chance.choice(rest) if rest and chance.random() < 0.6 else other
        edits: list[tuple[str, Edit, Label]] = [
            ("negation", negated, Label.CONTRADICTED),
            ("number", recounted, Label.CONTRADICTED),
            ("direction", turned, Label.CONTRADICTED),
            ("entity", renamed(abstract, other), Label.CONTRADICTED),
            ("detail", detailed(strange), Label.UNSUPPORTED),
        ]
        chance.shuffle(edits)
        made = [(edit(reword(sentence, chance), chance), label, kind) for kind, edit, label in edits]
        found += [(text, label, kind) for text, label, kind in made if text][:_MOST_EDITS]
    if rest and chance.random() < 0.5:
        sentence = chance.choice(rest)
        if len(sentence.split()) in _SENTENCE_WORDS:
            found.append((reword(sentence, chance), Label.UNSUPPORTED, "other"))
    return found


def read_abstracts(folder: Path) -> list[str]:
    """The longer texts of every `*/corpus.jsonl` of a folder."""
    found = []
    for path in sorted(folder.glob("*/corpus.jsonl")):
        with path.open(encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        found += [text for text in texts if len(text.split()) > _FEWEST_WORDS]
    return found


def plain_group(name: str, source_id: str, source: str, told: Sequence[Told], embedder: Embedder) -> Group:
    """A source and claims about it for training, of which nothing but their word pieces is known."""
    claims = tuple(
        Claim(tuple(embedder.token_ids(text)[:CLAIM_PIECES]), NEUTRAL, 0.0, label, kind) for text, label, kind in told
    )
    return Group(name, source_id, Part.TRAINING, tuple(embedder.token_ids(source)[:SOURCE_PIECES]), claims)


def edited(abstracts: Sequence[str], embedder: Embedder, *, seed: int = 0) -> Iterator[Group]:
    """A group for each abstract (shuffled) of which claims can be made; another seed makes others."""
    chance = random.Random(seed)
    for at, row in enumerate(chance.sample(range(len(abstracts)), len(abstracts))):
        abstract = readable(abstracts[row])
        sentences = [abstract[start:end] for start, end in split_sentences(abstract)]
        if len(sentences) < 3:
            continue
        count = chance.randint(1, min(_MOST_SOURCE, len(sentences)))
        start = chance.randint(0, len(sentences) - count)
        source, rest = sentences[start : start + count], sentences[:start] + sentences[start + count :]
        told = claims_about(source, rest, abstract, chance.choice(abstracts), chance)
        if told:
            yield plain_group(EDITS_SET, f"{EDITS_SET}-{seed}-{at}", " ".join(source), told, embedder)
