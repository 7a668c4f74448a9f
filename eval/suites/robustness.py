"""One question in many words, on a shelf with more on it, and with its papers in another order: does the answer stay?"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eval import metrics
from eval.cases import DATASETS, read_cases, read_lines
from eval.record import Record, Task
from eval.suites.options import STARTER, Options, shelf_copy, starter_copy
from rag.assistant import Assistant
from rag.config import settings
from rag.ingest.sentences import split_sentences
from rag.retrieve.context import understand
from rag.retrieve.evidence import named_evidence, search_pool
from rag.retrieve.retriever import Retriever
from rag.types import paper_id

WORDINGS = ("keywords", "verbose", "british", "american")
# Papers that a distractor is put together from, one sentence each.
BORROWED = 4
NO_MODEL = "no language model writes: its passages have no order to change"


@dataclass(frozen=True, slots=True)
class _Shelves:
    """The starter shelf; with distractors; with its papers stored in the opposite order; and as a language model is shown
    passages best first and best last."""

    plain: Assistant
    crowded: Assistant
    turned: Assistant
    layouts: tuple[Assistant, ...]


def robustness(options: Options) -> Iterator[list[Task]]:
    """The starter questions that have paraphrases."""
    gold = {case.id: case.papers for case in read_cases(DATASETS / "questions.jsonl")}
    rows = list(read_lines(DATASETS / "paraphrases.jsonl", "id", "question", "paraphrases"))[: options.limit]
    with _opened(options) as shelves:
        yield [
            Task("robustness", row["id"], (row, gold[row["id"]]), partial(_score, row, gold[row["id"]], shelves))
            for row in rows
        ]


def _score(row: Mapping[str, Any], gold: tuple[str, ...], shelves: _Shelves) -> Record:
    """What each wording finds (recall@5), and how alike the papers of the answers are (Jaccard)."""
    wordings = {"original": row["question"], "typos": with_typos(row["question"], row["id"])}
    wordings |= {name: row[name] for name in WORDINGS}
    found = {name: _found(text, shelves.plain) for name, text in wordings.items()}
    found["distractors"] = _found(row["question"], shelves.crowded)
    relevant = dict.fromkeys(gold, 1)
    scored = {f"recall@5/{name}": metrics.recall_at(ids, relevant, 5) for name, ids in found.items()}
    paraphrased = [metrics.recall_at(_found(text, shelves.plain), relevant, 5) for text in row["paraphrases"]]
    scored["recall@5/paraphrases"] = sum(paraphrased) / len(paraphrased)
    answered = [_answered(text, shelves.plain) for text in row["paraphrases"]]
    pairs = list(itertools.combinations(answered, 2))
    scored["jaccard/paraphrases"] = sum(metrics.jaccard(one, other) for one, other in pairs) / len(pairs)
    plain = _answered(row["question"], shelves.plain)
    scored["jaccard/distractors"] = metrics.jaccard(plain, _answered(row["question"], shelves.crowded))
    scored["jaccard/shelf_order"] = metrics.jaccard(plain, _answered(row["question"], shelves.turned))
    skipped = {}
    if shelves.layouts:
        first, last = (_answered(row["question"], assistant) for assistant in shelves.layouts)
        scored["jaccard/context_order"] = metrics.jaccard(first, last)
    else:
        skipped["jaccard/context_order"] = NO_MODEL
    detail = {"wordings": wordings, "paraphrases": row["paraphrases"], "found": found, "gold": list(gold)}
    return Record("robustness", row["id"], scored, skipped, detail)


def _found(question: str, assistant: Assistant) -> list[str]:
    """Ids of the five papers that are likeliest for a question as it is understood, named ones first."""
    query, retriever = understand(question, assistant.shelf)[0], Retriever(assistant.shelf)
    ranked = [*named_evidence(query, retriever), *search_pool(query, retriever)]
    return list(dict.fromkeys(item.paper.id for item in ranked))[:5]


def _answered(question: str, assistant: Assistant) -> list[str]:
    return [paper.id for paper, _ in assistant.ask(question).papers]


@contextlib.contextmanager
def _opened(options: Options) -> Iterator[_Shelves]:
    papers = list(read_lines(STARTER, "id", "title", "abstract"))
    with contextlib.ExitStack() as opened:
        plain = opened.enter_context(Assistant.open(opened.enter_context(starter_copy()), llm=options.llm))
        crowded, turned = (
            opened.enter_context(_made_of(rows, options)) for rows in ([*papers, *distractors(papers)], papers[::-1])
        )
        layouts = []
        if options.llm or settings().llm:
            for layout in ("best-first", "best-last"):
                config = settings().model_copy(update={"llm_layout": layout})
                folder = opened.enter_context(starter_copy())
                layouts.append(opened.enter_context(Assistant.open(folder, llm=options.llm, settings=config)))
        yield _Shelves(plain, crowded, turned, tuple(layouts))


@contextlib.contextmanager
def _made_of(rows: list[Any], options: Options) -> Iterator[Assistant]:
    def make(folder: Path) -> None:
        with Assistant.open(folder) as assistant:
            assistant.ingest([path])

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "papers.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        with shelf_copy([path], make) as folder, Assistant.open(folder, llm=options.llm) as assistant:
            yield assistant


def distractors(papers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many papers again that speak of the same things and find nothing: opening sentences of several, under a title
    that none has."""
    chance = random.Random("distractors")
    made = []
    for number, row in enumerate(papers):
        others = chance.sample([other for other in papers if other is not row], BORROWED - 1)
        opening = [_first_sentence(other["abstract"]) for other in (row, *others)]
        chance.shuffle(opening)
        title = f"Reading List {number + 1}: {' '.join(row['title'].split()[-3:])}"
        made.append({"id": paper_id(title), "title": title, "abstract": " ".join(opening)})
    return made


def _first_sentence(text: str) -> str:
    start, end = split_sentences(text)[0]
    return text[start:end]


def with_typos(text: str, seed: str) -> str:
    """The text with a slip in every third longer word: two letters swapped, one left out or one doubled."""
    chance, at = random.Random(seed), 0

    def slip(found: re.Match[str]) -> str:
        nonlocal at
        at += 1
        word, place = found[0], chance.randrange(1, len(found[0]) - 2)
        if at % 3 != 1:
            return word
        swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        return chance.choice([swapped, word[:place] + word[place + 1 :], word[:place] + word[place] + word[place:]])

    return re.sub(r"[^\W\d_]{6,}", slip, text)
