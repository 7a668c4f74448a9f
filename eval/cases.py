"""Questions, retrieval collections and claim sets, read and checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import UsageError
from rag.types import paper_id

DATASETS = Path(__file__).parent / "datasets"


@dataclass(frozen=True, slots=True)
class Case:
    """A question with its gold: papers (exhaustive), strings of a right answer, and the words that bear it out.

    `nuggets` are what a whole answer says, each in one or more wordings; `unwanted` papers that it must not give;
    `filters` conditions that the question is asked with.
    """

    id: str
    kind: str
    question: str
    papers: tuple[str, ...]
    answers: tuple[str, ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    history: tuple[str, ...] = ()
    nuggets: tuple[tuple[str, ...], ...] = ()
    unwanted: tuple[str, ...] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collection:
    """A retrieval collection in BEIR form."""

    name: str
    documents: Path
    queries: dict[str, str]
    relevance: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim that people judged against a source: label 1 supported, 0 not; of our own the verdict and kind too."""

    id: str
    source: str
    claim: str
    label: int
    verdict: str = ""
    kind: str = ""


def read_lines(path: Path, *needed: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one a line.

    Raises:
        UsageError: the file cannot be read, or a line is no JSON object with the keys needed.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    try:
                        row = dict(json.loads(line))
                    except (ValueError, TypeError) as error:
                        raise UsageError(f"{path}:{number}: {error}") from error
                    if absent := [key for key in needed if key not in row]:
                        raise UsageError(f"{path}:{number}: no {', '.join(absent)}")
                    yield row
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error}") from error


def read_cases(path: Path) -> list[Case]:
    """The questions of a JSONL file (`eval/datasets/questions.jsonl` shows the form); gold papers by id or by title."""
    cases: list[Case] = []
    for number, row in enumerate(read_lines(path, "question"), 1):
        try:
            cases.append(_case(row, number))
        except (TypeError, KeyError, ValueError) as error:
            raise UsageError(
                f"{path}: question {row.get('id', number)} is not in the form of a question: {error!r}",
                hint="questions.jsonl beside this program's data sets shows the form",
            ) from error
    twice = [key for key, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise UsageError(f"{path}: the id {twice[0]} stands for more than one question", hint="ids must differ")
    return cases


def _case(row: dict[str, Any], number: int) -> Case:
    return Case(
        id=str(row.get("id", number)),
        kind=str(row.get("kind", "list")),
        question=str(row["question"]),
        papers=tuple(row.get("papers", map(paper_id, row.get("titles", ())))),
        answers=tuple(row.get("answers", ())),
        evidence=tuple((item["paper"], item["quote"]) for item in row.get("evidence", ())),
        history=tuple(row.get("history", ())),
        nuggets=tuple((item,) if isinstance(item, str) else tuple(item) for item in row.get("nuggets", ())),
        unwanted=tuple(row.get("unwanted", ())),
        filters=dict(row.get("filters", {})),
    )


def read_collections(folder: Path) -> list[Collection]:
    """The collection in a folder (`corpus.jsonl`, `queries.jsonl`, `qrels.tsv`), or those in its subfolders."""
    folders = (
        [folder]
        if (folder / "corpus.jsonl").is_file()
        else sorted(path.parent for path in folder.glob("*/corpus.jsonl"))
    )
    if not folders:
        raise UsageError(
            f"no collection in {folder}", hint="a collection is corpus.jsonl, queries.jsonl and qrels.tsv in one folder"
        )
    return [_collection(path) for path in folders]


def _collection(folder: Path) -> Collection:
    relevance: dict[str, dict[str, int]] = {}
    try:
        for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            query, document, grade = line.split("\t")
            relevance.setdefault(query, {})[document] = int(float(grade))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / 'qrels.tsv'} cannot be read: {error}") from error
    queries = {str(row["_id"]): str(row["text"]) for row in read_lines(folder / "queries.jsonl", "_id", "text")}
    return Collection(
        folder.name, folder / "corpus.jsonl", {key: queries[key] for key in relevance if key in queries}, relevance
    )


def read_claims(folder: Path) -> dict[str, list[LabelledClaim]]:
    """The claim sets of a folder: every `*.jsonl` with `source`, `claim` and `label`."""
    paths = [folder] if folder.is_file() else sorted(folder.glob("*.jsonl"))
    if not paths:
        raise UsageError(f"no claim sets in {folder}", hint="a claim set is a JSONL file with source, claim and label")
    return {
        path.stem: [
            LabelledClaim(str(row.get("id", number)), str(row["source"]), str(row["claim"]), int(row["label"]))
            for number, row in enumerate(read_lines(path, "source", "claim", "label"))
        ]
        for path in paths
    }


def own_claims() -> list[LabelledClaim]:
    """The claims of `claims.jsonl` on the third of the starter shelf's papers that nothing was trained on or chosen by."""
    abstracts = {row["id"]: str(row["abstract"]) for row in read_lines(DATASETS / "papers.jsonl", "id", "abstract")}
    return [
        LabelledClaim(
            str(number),
            abstracts[row["paper"]],
            row["claim"],
            int(row["label"] == "supported"),
            row["label"],
            row["kind"],
        )
        for number, row in enumerate(read_lines(DATASETS / "claims.jsonl", "paper", "claim", "label", "kind"), 1)
        if is_untouched(row["paper"])
    ]


def is_untouched(paper: str) -> bool:
    """Whether a paper is of the third that claims are only tested on."""
    return int(paper, 16) % 3 == 0
