"""The ask river on one screen: question -> Query -> Evidence -> Draft -> checked Answer."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rag.answer import extractive
from rag.answer.openai_writer import OpenAIWriter
from rag.config import Settings, settings
from rag.errors import ShelfMissing, UsageError, WriterError
from rag.index.shelf import Shelf
from rag.ingest.pipeline import Progress, ingest
from rag.ingest.repair import readable
from rag.retrieve.context import TURNS, Turn, understand
from rag.retrieve.evidence import SUGGESTIONS, Gathered, gather
from rag.retrieve.retriever import Retriever
from rag.types import Answer, Draft, Evidence, Filters, IngestReport, Query
from rag.verify.answer import verify
from rag.verify.checker import Checker
from rag.verify.manuscript import Finding, check_text

LONGEST_QUESTION = 4_000
NOT_SAID = "The shelf does not say"

History = Sequence["Answer | str | Mapping[str, Any]"]


@dataclass(frozen=True, slots=True)
class Event:
    """What `Assistant.stream` yields: a stage begun, a piece of text, or the checked answer."""

    kind: Literal["status", "token", "final"]
    text: str = ""
    answer: Answer | None = None


class Assistant:
    """Questions to one shelf. Use as a context manager, or call `close`; threads may share it."""

    def __init__(self, folder: Path, config: Settings) -> None:
        self.folder = folder
        self._config = config
        self._shelf: Shelf | None = None
        self._writing = threading.Lock()

    @classmethod
    def open(
        cls, shelf: str | Path | None = None, *, llm: str | None = None, settings: Settings | None = None
    ) -> Assistant:
        """Open the shelf in a folder. Where there is none yet, `ingest` makes one.

        Args:
            shelf: the folder; that of the settings when None.
            llm: the language model that writes, as `openai:MODEL`; the extractive writer when None.
            settings: other than those of the environment.

        Raises:
            ShelfLocked, ShelfIncompatible, ModelError: see their descriptions.
        """
        config = settings or _environment()
        if llm:
            config = config.model_copy(update={"llm": llm})
        assistant = cls(Path(shelf or config.shelf), config)
        if (assistant.folder / "ledger.sqlite").is_file():
            assistant._shelf = Shelf(assistant.folder, config)
        return assistant

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._shelf:
            self._shelf.close()
            self._shelf = None

    @property
    def shelf(self) -> Shelf:
        """The open shelf.

        Raises:
            ShelfMissing: nothing was ingested yet.
        """
        if self._shelf is None:
            raise ShelfMissing(
                f"there is no shelf at {self.folder}", hint=f"make one: attest ingest PAGES --shelf {self.folder}"
            )
        return self._shelf

    def ingest(
        self,
        sources: Sequence[str | Path],
        *,
        format: str = "auto",
        page_year: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IngestReport:
        """Read files, folders or globs into the shelf; see `rag.ingest.pipeline.ingest`."""
        with self._writing:
            if self._shelf is None:
                self._shelf = Shelf(self.folder, self._config, create=True)
            return ingest(
                self._shelf, sources, format=format, page_year=page_year or self._config.page_year, progress=progress
            )

    def search(self, words: str, k: int = 10, filters: Mapping[str, Any] | None = None) -> list[Evidence]:
        """The `k` best papers for these words, each with its sentences, best first."""
        asked = _question(words)
        retriever = Retriever(self.shelf)
        query = Query(asked, asked, filters=to_filters(filters))
        # Where neither words nor meaning meet there is nothing to show.
        found = [item for item in retriever.search(query, k) if item.lexical > 0 or item.cosine > 0.3]
        return retriever.with_spans(query, found)

    def check(self, text: str) -> list[Finding]:
        """Each sentence of a text against the papers of the shelf: the best quote and the verdict."""
        return list(check_text(text, Retriever(self.shelf), Checker(self.shelf.embedder)))

    def ask(self, question: str, history: History | None = None, filters: Mapping[str, Any] | None = None) -> Answer:
        """A cited and checked answer, or an abstention.

        Args:
            question: at most 4,000 characters.
            history: earlier turns, oldest first: answers, questions, or `{"question", "papers"}`.
            filters: conditions on metadata, as `{"year": {"gte": 2023}, "organization": "microsoft"}`.

        Raises:
            UsageError: the question is empty or too long, or a filter is unknown.
            ShelfMissing: there is no shelf.
        """
        return next(event.answer for event in self.stream(question, history, filters) if event.answer)

    async def aask(
        self, question: str, history: History | None = None, filters: Mapping[str, Any] | None = None
    ) -> Answer:
        """As `ask`, without blocking the event loop."""
        return await asyncio.to_thread(self.ask, question, history, filters)

    def stream(
        self, question: str, history: History | None = None, filters: Mapping[str, Any] | None = None
    ) -> Iterator[Event]:
        """The answer as it comes about: status events, then text, then the final, checked answer."""
        asked = _question(question)
        shelf = self.shelf
        if not shelf.ledger.count()[0]:
            raise ShelfMissing(
                f"the shelf {self.folder} is empty", hint=f"fill it: attest ingest PAGES --shelf {self.folder}"
            )
        timings: dict[str, float] = {}
        clock = _Clock(timings)
        yield Event("status", "searching")
        turns = [self.turn(turn) for turn in (history or ())[-TURNS:]]
        readings = understand(asked, shelf, turns, to_filters(filters))
        query, gathered = gather(readings, Retriever(shelf))
        clock.lap("retrieve")
        draft: Draft | None = None
        if gathered.kept:
            yield Event("status", "writing")
            draft = self._write(query, gathered)
            clock.lap("write")
        if draft is None:
            yield Event("final", answer=_abstention(asked, gathered, timings))
            return
        yield Event("token", draft.text)
        yield Event("status", "checking")
        claims = verify(draft, Checker(shelf.embedder))
        clock.lap("verify")
        standing = {item.paper.id: item.score for item in gathered.kept}
        used = dict.fromkeys(citation.paper for citation in draft.citations)
        yield Event(
            "final",
            answer=Answer(
                asked, "answered", draft.text, None, claims, draft.citations, tuple((paper, standing.get(paper.id, 0.0)) for paper in used),
                draft.writer, draft.model, draft.usage, timings, draft.prompt_hash,
            ),
        )  # fmt: skip

    def _write(self, query: Query, gathered: Gathered) -> Draft | None:
        """The draft of the writer that is set; when a language model fails, the extractive one with a line saying so."""
        if not self._config.llm or not query.topic:
            return extractive.write(query, gathered.kept, gathered.notes)
        try:
            return OpenAIWriter(self._config).write(query, gathered.kept)
        except WriterError as error:
            note = f"(Written without a language model: {error}" + (f"; {error.hint}" if error.hint else "") + ".)"
            return extractive.write(query, gathered.kept, (*gathered.notes, note))

    def turn(self, turn: Answer | str | Mapping[str, Any]) -> Turn:
        """An earlier turn as the question after it needs it; a bare question is searched for."""
        if isinstance(turn, Answer):
            return Turn(turn.question, tuple(paper.id for paper, _ in turn.papers))
        if isinstance(turn, str):
            shelf = self.shelf
            found = gather(understand(_question(turn), shelf), Retriever(shelf))[1].kept
            return Turn(turn, tuple(item.paper.id for item in found))
        if "question" not in turn:
            raise UsageError(
                "a turn of the history has no question",
                hint='history: answers, questions, or {"question": ..., "papers": [ids]}',
            )
        return (
            Turn(str(turn["question"]), tuple(turn["papers"])) if "papers" in turn else self.turn(str(turn["question"]))
        )


class _Clock:
    def __init__(self, laps: dict[str, float]) -> None:
        self._laps, self._last = laps, time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._laps[stage] = (now - self._last) * 1000
        self._last = now


def to_filters(filters: Mapping[str, Any] | None) -> Filters:
    """`{"year": {"gte": 2023}, "organization": "microsoft"}` as conditions."""
    conditions: list[tuple[str, str, Any]] = []
    for field, wanted in (filters or {}).items():
        pairs = wanted.items() if isinstance(wanted, Mapping) else [("eq", wanted)]
        conditions += [(field, operator, value) for operator, value in pairs]
    return Filters(tuple(conditions))


def _question(text: str) -> str:
    cleaned = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text).split())
    if not cleaned:
        raise UsageError("the question is empty", hint='ask something: attest ask "which papers ...?"')
    if len(cleaned) > LONGEST_QUESTION:
        raise UsageError(
            f"the question has {len(cleaned):,} characters; the longest that is answered has {LONGEST_QUESTION:,}",
            hint="ask for one thing at a time",
        )
    return cleaned


def _abstention(question: str, gathered: Gathered, timings: dict[str, float]) -> Answer:
    reason = gathered.reason or "the language model found no answer in the papers that were retrieved"
    nearest = list({item.paper.id: item for item in (*gathered.kept, *gathered.nearest)}.values())[:SUGGESTIONS]
    text = f"{NOT_SAID}: {reason}."
    if nearest:
        text += "\n\nNearest papers, which may help:\n" + "\n".join(
            f"- {readable(item.paper.title)}" for item in nearest
        )
    return Answer(question, "abstained", text, reason, timings_ms=timings)


def _environment() -> Settings:
    return settings()
