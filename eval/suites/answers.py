"""Questions through `Assistant.ask`: right papers, right words, right refusals, and what the citations are worth."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from eval import attribution, metrics
from eval.attribution import Scores
from eval.cases import Case, read_cases
from eval.judges.judge import Judge
from eval.matching import is_refusal, nugget_recall, said
from eval.record import Record, Task
from eval.suites.options import Options, open_assistant
from rag.assistant import Assistant
from rag.index.lexical import words
from rag.question import to_filters, to_turns
from rag.retrieve.context import understand
from rag.retrieve.evidence import gather
from rag.retrieve.retriever import Retriever
from rag.types import Answer, Verdict
from rag.verify.answer import is_located

# The evidence is covered when this share of its words stands in the quotes of its paper.
COVERED = 0.8
# Gold papers whose abstracts a record keeps, to be read beside the answer.
GOLD_SHOWN = 4


def answers(options: Options) -> Iterator[list[Task]]:
    """Questions over a shelf made of the starter papers, unless another is given."""
    yield from question_suite("answers", options.questions, options)


def user_questions(path: Path, options: Options) -> Iterator[list[Task]]:
    """A JSONL file of questions as a suite of its own, named after the file."""
    yield from question_suite(path.stem, path, options)


def question_suite(suite: str, questions: Path, options: Options) -> Iterator[list[Task]]:
    """One task a question; the file is read before the shelf is opened."""
    cases = read_cases(questions)[: options.limit]
    with open_assistant(options) as assistant:
        yield [Task(suite, case.id, case, partial(ask, suite, case, assistant, options.judged)) for case in cases]


def ask(suite: str, case: Case, assistant: Assistant, judge: Judge) -> Record:
    """Ask one question, after those of its history, and score the answer."""
    history: list[Answer] = []
    for question in case.history:
        history.append(assistant.ask(question, history))
    began = time.perf_counter()
    answer = assistant.ask(case.question, history, case.filters or None)
    took = 1000 * (time.perf_counter() - began)
    record = score_answer(case, answer, took, judge, suite)
    gold = assistant.shelf.ledger.papers(case.papers)
    record.detail["likelihood"] = round(_likelihood(case, assistant, history), 4)
    record.detail["titles"] |= {key: paper.title for key, paper in gold.items()}
    record.detail["sources"] |= {key: paper.abstract for key, paper in list(gold.items())[:GOLD_SHOWN]}
    return record


def _likelihood(case: Case, assistant: Assistant, history: Sequence[Answer]) -> float:
    """How likely the shelf was held to answer: what the answer itself does not tell."""
    turns, filters = to_turns(history, assistant.shelf), to_filters(case.filters or None)
    _, gathered = gather(understand(case.question, assistant.shelf, turns, filters), Retriever(assistant.shelf))
    return gathered.likelihood if gathered.reason is None or gathered.likelihood < 1 else 0.0


def score_answer(case: Case, answer: Answer, milliseconds: float, judge: Judge, suite: str = "answers") -> Record:
    """The figures of one answer. Refusals are scored as such and kept out of the grounding figures.

    A refusal is one by its status, or by words that say nothing else. `claims_supported` is the product's own view.
    `correctness` is the one figure of every answerable question: nugget recall where nuggets are given, else whether all
    expected answers are said, else F1 of the papers; a refusal has none of it.
    """
    scored: dict[str, float] = {}
    abstained = answer.status == "abstained" or is_refusal(answer.text)
    if case.kind == "unanswerable":
        scored["abstained"] = float(abstained)
    else:
        scored |= {"false_abstention": float(abstained)} | _correctness(case, answer, abstained)
    grounding = attribution.refused() if abstained else _grounding(answer, judge)
    if answer.claims and not abstained:
        supported = [claim.verdict is Verdict.SUPPORTED for claim in answer.claims]
        scored["claims_supported"] = sum(supported) / len(supported)
    scored |= grounding.metrics
    if answer.citations:
        scored["citations_located"] = sum(map(is_located, answer.citations)) / len(answer.citations)
    detail = {
        "kind": case.kind,
        "question": case.question,
        "history": list(case.history),
        "gold": list(case.papers),
        "expected": list(case.answers),
        "evidence": [{"paper": paper, "quote": quote} for paper, quote in case.evidence],
        "found": [paper.id for paper, _ in answer.papers],
        "status": "abstained" if abstained else "answered",
        "reason": answer.reason,
        "text": answer.text,
        "writer": answer.writer,
        "model": answer.model,
        "prompt_hash": answer.prompt_hash,
        "citations": [citation.to_dict() for citation in answer.citations],
        "claims": [claim.to_dict() for claim in answer.claims],
        "sources": {citation.paper.id: citation.paper.abstract for citation in answer.citations},
        "titles": {paper.id: paper.title for paper, _ in answer.papers},
        "verdicts": list(grounding.verdicts),
    }
    timings = {"latency_ms": milliseconds} | {f"{stage}_ms": took for stage, took in answer.timings_ms.items()}
    return Record(suite, case.id, scored, grounding.skipped, detail, timings)


def _correctness(case: Case, answer: Answer, abstained: bool) -> dict[str, float]:
    found = [paper.id for paper, _ in answer.papers]
    avoided = {"unwanted_avoided": float(not set(case.unwanted) & set(found))} if case.unwanted else {}
    if avoided and not (case.papers or case.answers or case.nuggets):  # no more is known of a right answer
        return avoided | {"correctness": avoided["unwanted_avoided"]}
    precision, recall, f1 = metrics.precision_recall_f1(found, case.papers)
    scored = {
        "list": {"list_precision": precision, "list_recall": recall, "list_f1": f1},
        "metadata": {"metadata_exact": float(set(found) == set(case.papers))},
        "fact": {"fact_first": float(found[:1] == list(case.papers))},
        "compare": {
            "compare_papers": float(set(case.papers) <= set(found) and len(set(found)) <= len(case.papers) + 1)
        },
        "follow-up": {"followup_papers": float(set(case.papers) <= set(found)), "followup_f1": f1},
    }.get(case.kind, {"list_f1": f1})
    correctness, kind = f1, case.kind.replace("-", "")
    if case.answers:
        correctness = float(not abstained and all(said(expected, answer.text) for expected in case.answers))
        scored[f"{kind}_answer"] = scored["answer_match"] = correctness
    if case.nuggets:
        correctness = scored["nugget_recall"] = 0.0 if abstained else nugget_recall(case.nuggets, answer.text)
    if case.evidence:
        covered = [_covered(paper, quote, answer) for paper, quote in case.evidence]
        scored[f"{kind}_evidence"] = sum(covered) / len(covered)
    return scored | avoided | {"correctness": correctness}


def _covered(paper: str, quote: str, answer: Answer) -> float:
    wanted = set(words(quote))
    held = {word for citation in answer.citations if citation.paper.id == paper for word in words(citation.quote)}
    return float(len(wanted & held) >= COVERED * len(wanted))


def _grounding(answer: Answer, judge: Judge) -> Scores:
    if not answer.claims:
        return Scores({}, dict.fromkeys(attribution.NEEDS_STATEMENTS, "no statements: a count or a record"))
    return attribution.score(attribution.of_answer(answer), judge.grade)
