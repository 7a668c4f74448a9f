"""The suites: each yields one record a question, with figures in [0, 1] or milliseconds."""

from __future__ import annotations

import itertools
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval import metrics
from eval.cases import (
    DATASETS,
    Case,
    Collection,
    LabelledClaim,
    own_claims,
    read_cases,
    read_claims,
    read_collections,
    read_lines,
)
from rag.assistant import Assistant
from rag.config import settings
from rag.errors import UsageError
from rag.index.lexical import words
from rag.index.shelf import Shelf
from rag.retrieve.context import understand
from rag.retrieve.evidence import named_evidence, search_pool
from rag.retrieve.retriever import Retriever
from rag.types import Answer, Paper, Query, Verdict
from rag.verify.answer import is_located
from rag.verify.checker import THRESHOLD, Checker

# The evidence is covered when this share of its words stands in the quotes of its paper.
COVERED = 0.8
INGEST_BATCH = 256


@dataclass(frozen=True, slots=True)
class Record:
    """One question's figures: `metrics` by name, and what is needed to look into it."""

    suite: str
    id: str
    metrics: dict[str, float]
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """What a suite may be told: data folder, shelf, questions, how many of each at most."""

    data: Path | None = None
    shelf: Path | None = None
    questions: Path = DATASETS / "questions.jsonl"
    limit: int | None = None


def answers(options: Options) -> Iterator[Record]:
    """Questions through `Assistant.ask`, on a shelf made of the starter papers unless another is given."""
    cases = read_cases(options.questions)[: options.limit]
    with tempfile.TemporaryDirectory() as folder, Assistant.open(options.shelf or folder) as assistant:
        if options.shelf is None:
            assistant.ingest([DATASETS / "papers.jsonl"])
        for case in cases:
            history: list[Answer] = []
            for question in case.history:
                history.append(assistant.ask(question, history))
            began = time.perf_counter()
            answer = assistant.ask(case.question, history)
            yield score_answer(case, answer, 1000 * (time.perf_counter() - began))


def score_answer(case: Case, answer: Answer, milliseconds: float) -> Record:
    """The figures of one answer. Refusals are scored as such and kept out of the grounding figures."""
    found = [paper.id for paper, _ in answer.papers]
    scored: dict[str, float] = {"latency_ms": milliseconds}
    abstained = answer.status == "abstained"
    if case.kind == "unanswerable":
        scored["abstained"] = float(abstained)
    else:
        scored["false_abstention"] = float(abstained)
        precision, recall, f1 = metrics.precision_recall_f1(found, case.papers)
        scored |= {
            "list": {"list_precision": precision, "list_recall": recall, "list_f1": f1},
            "metadata": {"metadata_exact": float(set(found) == set(case.papers))},
            "fact": {"fact_first": float(found[:1] == list(case.papers))},
            "compare": {
                "compare_papers": float(set(case.papers) <= set(found) and len(set(found)) <= len(case.papers) + 1)
            },
            "follow-up": {"followup_papers": float(set(case.papers) <= set(found)), "followup_f1": f1},
        }.get(case.kind, {"list_f1": f1})
        if case.answers:
            scored[f"{case.kind.replace('-', '')}_answer"] = float(
                not abstained and all(said(expected, answer.text) for expected in case.answers)
            )
        if case.evidence:
            covered = [_covered(paper, quote, answer) for paper, quote in case.evidence]
            scored[f"{case.kind.replace('-', '')}_evidence"] = sum(covered) / len(covered)
    if answer.claims:
        scored["claims_supported"] = sum(claim.verdict is Verdict.SUPPORTED for claim in answer.claims) / len(
            answer.claims
        )
        scored["claims_cited"] = sum(bool(claim.citations) for claim in answer.claims) / len(answer.claims)
    if answer.citations:
        scored["citations_located"] = sum(map(is_located, answer.citations)) / len(answer.citations)
        scored["answer_words"] = float(len(answer.text.split()))
    detail = {
        "kind": case.kind,
        "question": case.question,
        "history": list(case.history),
        "gold": list(case.papers),
        "found": found,
        "text": answer.text,
    }
    return Record("answers", case.id, scored, detail)


def said(expected: str, text: str) -> bool:
    """Whether the words of a right answer stand in a text in a row."""
    return f" {' '.join(words(expected))} " in f" {' '.join(words(text))} "


def _covered(paper: str, quote: str, answer: Answer) -> float:
    wanted = set(words(quote))
    held = {word for citation in answer.citations if citation.paper.id == paper for word in words(citation.quote)}
    return float(len(wanted & held) >= COVERED * len(wanted))


def retrieval(options: Options) -> Iterator[Record]:
    """BEIR collections through the product's own retriever; a judged query without results scores 0."""
    for collection in read_collections(_data(options)):
        with tempfile.TemporaryDirectory() as folder, Shelf(Path(folder), settings(), create=True) as shelf:
            _fill(shelf, collection)
            retriever = Retriever(shelf)
            for key in list(collection.queries)[: options.limit]:
                text, began = collection.queries[key], time.perf_counter()
                found = [item.paper.id for item in retriever.search(Query(text, text), 100)]
                took, relevance = 1000 * (time.perf_counter() - began), collection.relevance[key]
                scored = {
                    "ndcg@10": metrics.ndcg(found, relevance),
                    "recall@20": metrics.recall_at(found, relevance, 20),
                    "rr@10": metrics.reciprocal_rank(found, relevance),
                    "latency_ms": took,
                }
                named = {f"{collection.name}/{name}": value for name, value in scored.items()}
                yield Record("retrieval", f"{collection.name}/{key}", named, {"query": text, "found": found[:10]})


def _fill(shelf: Shelf, collection: Collection) -> None:
    """Documents under their own ids: a collection may hold one title twice."""
    batch: list[Paper] = []
    for row in read_lines(collection.documents, "_id"):
        batch.append(Paper(id=str(row["_id"]), title=str(row.get("title") or ""), abstract=str(row.get("text") or "")))
        if len(batch) == INGEST_BATCH:
            shelf.put(batch)
            batch = []
    shelf.put(batch)
    shelf.refresh()


def robustness(options: Options) -> Iterator[Record]:
    """One question in many words: what each wording finds (recall@5), and how alike the answers are (Jaccard)."""
    gold = {case.id: case.papers for case in read_cases(DATASETS / "questions.jsonl")}
    rows = list(read_lines(DATASETS / "paraphrases.jsonl", "id", "question", "paraphrases"))[: options.limit]
    with tempfile.TemporaryDirectory() as folder, Assistant.open(folder) as assistant:
        assistant.ingest([DATASETS / "papers.jsonl"])
        for row in rows:
            wordings = {"original": row["question"], "typos": with_typos(row["question"], row["id"])}
            wordings |= {name: row[name] for name in ("keywords", "verbose", "british", "american")}
            found = {name: _found(text, assistant) for name, text in wordings.items()}
            found |= {f"paraphrase {at}": _found(text, assistant) for at, text in enumerate(row["paraphrases"], 1)}
            scored = {
                f"recall@5/{name}": metrics.recall_at(ids, dict.fromkeys(gold[row["id"]], 1), 5)
                for name, ids in found.items()
            }
            paraphrased = [scored.pop(name) for name in list(scored) if "paraphrase" in name]
            scored["recall@5/paraphrases"] = sum(paraphrased) / len(paraphrased)
            answered = [{paper.id for paper, _ in assistant.ask(text).papers} for text in row["paraphrases"]]
            pairs = list(itertools.combinations(answered, 2))
            scored["jaccard/paraphrases"] = sum(metrics.jaccard(one, other) for one, other in pairs) / len(pairs)
            yield Record("robustness", row["id"], scored, {"wordings": wordings, "paraphrases": row["paraphrases"]})


def _found(question: str, assistant: Assistant) -> list[str]:
    """Ids of the five papers that are likeliest for a question as it is understood, named ones first."""
    query, retriever = understand(question, assistant.shelf)[0], Retriever(assistant.shelf)
    ranked = [*named_evidence(query, retriever), *search_pool(query, retriever)]
    return list(dict.fromkeys(item.paper.id for item in ranked))[:5]


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


def grounding(options: Options) -> Iterator[Record]:
    """Claim sets with human labels through the support checker; our own claims where no folder is given."""
    checker = Checker.from_settings(settings())
    sets = read_claims(options.data) if options.data else {"claims": own_claims()}
    for name, claims in sets.items():
        for item in claims[: options.limit]:
            yield _score_claim(name, item, checker)


def _score_claim(name: str, item: LabelledClaim, checker: Checker) -> Record:
    began = time.perf_counter()
    check = checker.check(item.claim, item.source)
    right = (check.verdict is Verdict.SUPPORTED) == bool(item.label)
    scored = {f"{name}/accuracy": float(right), f"{name}/latency_ms": 1000 * (time.perf_counter() - began)}
    detail = {"label": item.label, "score": check.score, "verdict": str(check.verdict), "reason": check.reason}
    if item.verdict:
        detail |= {"gold": item.verdict, "kind": item.kind}
    return Record("grounding", f"{name}/{item.id}", scored, detail)


def set_figures(records: list[Record]) -> dict[str, float]:
    """Figures that exist for a whole claim set only.

    AUROC, balanced accuracy at the one threshold, calibration error, how often "supported" is right and how many of the
    supported are found; where claims say their verdict, how often "contradicted" is right; and where they say their
    kind, the AUROC of the claims of each kind that are not supported against all that are.
    """
    by_set: dict[str, list[Record]] = {}
    for record in records:
        if record.suite == "grounding":
            by_set.setdefault(record.id.partition("/")[0], []).append(record)
    found: dict[str, float] = {}
    for name, rows in by_set.items():
        labels = [row.detail["label"] for row in rows]
        scores = [row.detail["score"] for row in rows]
        found[f"{name}/auroc"] = metrics.auroc(labels, scores)
        found[f"{name}/balanced_accuracy"] = metrics.balanced_accuracy(labels, [score >= THRESHOLD for score in scores])
        found[f"{name}/calibration_error"] = metrics.calibration_error(labels, scores)
        said = [row for row in rows if row.detail["verdict"] == Verdict.SUPPORTED]
        right = sum(row.detail["label"] for row in said)
        found |= _share(f"{name}/supported_precision", right, len(said))
        found |= _share(f"{name}/supported_recall", right, sum(labels))
        turned = [row.detail for row in rows if row.detail["verdict"] == Verdict.CONTRADICTED and "gold" in row.detail]
        found |= _share(
            f"{name}/contradicted_precision", sum(row["gold"] == row["verdict"] for row in turned), len(turned)
        )
        for kind in sorted({row.detail["kind"] for row in rows if not row.detail["label"] and "kind" in row.detail}):
            own = [row.detail for row in rows if row.detail["label"] or row.detail["kind"] == kind]
            found[f"{name}/auroc_{kind}"] = metrics.auroc([row["label"] for row in own], [row["score"] for row in own])
    return found


def _share(name: str, part: float, whole: float) -> dict[str, float]:
    return {name: part / whole} if whole else {}


def _data(options: Options) -> Path:
    if options.data is None:
        raise UsageError("this suite needs data", hint="give --data FOLDER")
    return options.data


SUITES: dict[str, Callable[[Options], Iterator[Record]]] = {
    "answers": answers,
    "retrieval": retrieval,
    "grounding": grounding,
    "robustness": robustness,
}
