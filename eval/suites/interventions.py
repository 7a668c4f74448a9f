"""Change what an answer rests on: delete it, and the answer must go; alter it, and the checker must notice; rename a
method, and the answer must say the new name."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from eval.cases import Case, read_cases
from eval.checker.pretraining import negated, recounted
from eval.judges.judge import Judge
from eval.matching import is_refusal, said
from eval.record import Record, Task
from eval.suites.options import Options, starter_copy
from rag.assistant import Assistant
from rag.ingest.names import short_name
from rag.types import Answer, Paper

# Of a word that no abstract has, whatever the shelf.
INVENTED = ("Zorvane", "Quillex", "Brenthop", "Mavriel", "Tuskandor", "Pellowane", "Drixomar", "Yulbaco")
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z][\w-]*[\w]|\b[a-z]*[A-Z]+[a-z]*[A-Z][\w-]*\b")
UNCITED = "the answer cites nothing"
Edit = Callable[[str, random.Random], str | None]


@dataclass(slots=True)
class _Bench:
    """A shelf that may be changed, one question at a time."""

    assistant: Assistant
    judge: Judge
    changing: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def holding(self, paper: Paper) -> Iterator[None]:
        """The shelf with this record of a paper in the place of its own."""
        shelf = self.assistant.shelf
        before = shelf.ledger.papers([paper.id])[paper.id]
        with self.changing:
            try:
                shelf.put([paper])
                shelf.refresh()
                yield
            finally:
                shelf.put([before])
                shelf.refresh()


def interventions(options: Options) -> Iterator[list[Task]]:
    """The questions for a fact, without a history, that have expected words; on a copy of the starter shelf."""
    cases = [
        case for case in read_cases(options.questions) if case.kind == "fact" and case.answers and not case.history
    ]
    with starter_copy() as folder, Assistant.open(folder, llm=options.llm) as assistant:
        bench = _Bench(assistant, options.judged)
        yield [Task("interventions", case.id, case, partial(_score, case, bench)) for case in cases[: options.limit]]


def _score(case: Case, bench: _Bench) -> Record:
    """Four ways to change the words of the first statement's paper, each scored on its own.

    - `delete/holds`: without the sentences that the answer cites it abstains, or no longer says the expected words;
      `delete/abstains`: it abstains.
    - `negate/noticed`, `number/noticed`, `name/noticed`: the statement is not held to be supported by the cited sentence
      once that is negated, or has another number or name.
    - `rename/follows`: when the method has an invented name throughout, the answer uses it, and not the old one.
    """
    with bench.changing:  # another question may have changed the shelf
        answer = bench.assistant.ask(case.question)
    cited = [(claim, answer.citations[claim.citations[0] - 1]) for claim in answer.claims if claim.citations]
    detail: dict[str, Any] = {"question": case.question, "text": answer.text, "expected": list(case.answers)}
    if not cited:
        names = ("delete/holds", "delete/abstains", *(f"{name}/noticed" for name in EDITS), "rename/follows")
        return Record("interventions", case.id, {}, dict.fromkeys(names, UNCITED), {**detail, "kind": "fact"})
    claim, citation = cited[0]
    scored: dict[str, float] = {}
    skipped: dict[str, str] = {}
    _delete(case, answer, citation.paper, bench, scored, skipped, detail)
    for name, edit in EDITS.items():
        edited = edit(citation.quote, random.Random(f"{name} {case.id}"))
        if edited is None:
            skipped[f"{name}/noticed"] = "the sentence has nothing to change"
            continue
        grade = bench.judge.grade(claim.text, edited)
        detail[name] = {"statement": claim.text, "source": edited, "score": _rounded(grade.score), "why": grade.why}
        if grade.supported is None:
            skipped[f"{name}/noticed"] = "unscored: the judge gave no grade"
        else:
            scored[f"{name}/noticed"] = float(not grade.supported)
    _rename(case, citation.paper, bench, scored, skipped, detail)
    return Record("interventions", case.id, scored, skipped, {**detail, "kind": "fact"})


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _delete(
    case: Case,
    answer: Answer,
    paper: Paper,
    bench: _Bench,
    scored: dict[str, float],
    skipped: dict[str, str],
    detail: dict[str, Any],
) -> None:
    spans = [(citation.start, citation.end) for citation in answer.citations if citation.paper.id == paper.id]
    rest = without(paper.abstract, spans)
    if not all(said(words, answer.text) for words in case.answers):
        skipped["delete/holds"] = skipped["delete/abstains"] = "the answer does not say the expected words"
        return
    if all(said(words, f"{paper.title} {rest}") for words in case.answers):
        skipped["delete/holds"] = skipped["delete/abstains"] = "the paper says it elsewhere too"
        return
    with bench.holding(replace(paper, abstract=rest)):
        later = bench.assistant.ask(case.question)
    abstained = later.status == "abstained" or is_refusal(later.text)
    scored["delete/abstains"] = float(abstained)
    scored["delete/holds"] = float(abstained or not all(said(words, later.text) for words in case.answers))
    detail["delete"] = {"abstract": rest, "status": later.status, "text": later.text}


def _rename(
    case: Case, paper: Paper, bench: _Bench, scored: dict[str, float], skipped: dict[str, str], detail: dict[str, Any]
) -> None:
    name = short_name(paper.title)
    if not name or not said(name, case.question):
        skipped["rename/follows"] = "the question does not name a method"
        return
    invented = INVENTED[int(paper.id[:6], 16) % len(INVENTED)]
    title, abstract, question = (renamed(text, name, invented) for text in (paper.title, paper.abstract, case.question))
    with bench.holding(replace(paper, title=title, abstract=abstract)):
        later = bench.assistant.ask(question)
    detail["rename"] = {"question": question, "status": later.status, "text": later.text}
    scored["rename/follows"] = float(said(invented, later.text) and not said(name, later.text))


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text without these half-open stretches."""
    kept, at = [], 0
    for start, end in sorted(spans):
        kept.append(text[at : max(start, at)])
        at = max(at, end)
    return " ".join("".join([*kept, text[at:]]).split())


def renamed(text: str, name: str, instead: str) -> str:
    """The text with one name for another, in whatever case, where it is a word of its own."""
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", instead, text, flags=re.IGNORECASE)


def with_another_name(sentence: str, chance: random.Random) -> str | None:
    """With an invented name in the place of one within the sentence; None where there is none."""
    found = sorted(set(_NAME.findall(sentence)))
    return renamed(sentence, chance.choice(found), chance.choice(INVENTED)) if found else None


EDITS: dict[str, Edit] = {"negate": negated, "number": recounted, "name": with_another_name}
