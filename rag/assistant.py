"""The ask river on one screen: question -> Query -> Evidence -> Draft -> checked Answer."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from pathlib import Path
from typing import Any

from rag.answer import extractive
from rag.answer.execution import Blocking, Concurrent, Execution, blocking
from rag.answer.language_model import LanguageModel
from rag.answer.models import open_model
from rag.config import Settings, settings
from rag.errors import ShelfMissing, WriterError
from rag.index.place import Place
from rag.index.shelf import Shelf
from rag.ingest.pipeline import Progress, Store, ingest
from rag.ingest.repair import readable
from rag.llm_writer import Checked, LanguageModelWriter
from rag.question import History, cleaned, to_filters, to_turns
from rag.retrieve.context import TURNS, Turn, understand
from rag.retrieve.evidence import SUGGESTIONS, Gathered, gather
from rag.retrieve.retriever import Retriever
from rag.types import Answer, Event, Evidence, Filters, IngestReport, Query, Shape
from rag.verify.answer import verify
from rag.verify.backends import SupportChecker, open_backend, open_checker
from rag.verify.bibtex import read_bibliography
from rag.verify.disagreement import disagreements
from rag.verify.library import Library
from rag.verify.manuscript import Finding, Manuscript, check_manuscript, read

NOT_SAID = "The shelf does not say"


class Assistant:
    """Questions to one shelf. Use as a context manager, or call `close`; threads may share it."""

    def __init__(
        self, place: Place, config: Settings, model: LanguageModel | None = None, embedding: Any | None = None
    ) -> None:
        self.place = place
        self.folder = place.folder
        self._config = config
        self._model = model
        self._embedding = embedding
        self._backend = open_backend(config, model)
        self._shelf: Shelf | None = None
        self._writing = threading.Lock()

    @classmethod
    def open(
        cls,
        shelf: str | Path | None = None,
        *,
        llm: str | LanguageModel | Any | None = None,
        embedding: Any | None = None,
        strict: bool | None = None,
        settings: Settings | None = None,
    ) -> Assistant:
        """Open the shelf in a folder or database. Where there is none yet, `ingest` makes one.

        Args:
            shelf: the folder, or the database (`postgresql://...`); that of the settings when None.
            llm: the language model that writes: `openai:MODEL`, `hf:PATH`, or an LLM object of LlamaIndex; that of the
                settings when None, and the extractive writer when these name none.
            embedding: an embedding object of LlamaIndex whose vectors passages and questions get; the shelf can then only be
                opened with the same one. What works on word pieces stays with the encoder of the settings.
            strict: remove sentences of a language model that their papers do not support; as the settings say when None.
            settings: other than those of the environment.

        Raises:
            UsageError: `llm` names no language model, there is none to judge, or `embedding` is none.
            ShelfLocked, ShelfIncompatible, ModelError: see their descriptions.
        """
        config = settings or _environment()
        if strict is not None:
            config = config.model_copy(update={"strict": strict})
        wanted = llm if llm is not None else config.llm
        # What is given by argument stands in for the setting everywhere, where the language model judges, too.
        config = config.model_copy(update={"llm": wanted if isinstance(wanted, str) else None})
        model = open_model(wanted, config) if wanted is not None else None
        assistant = cls(Place.of(shelf or config.shelf, config), config, model, embedding)
        with suppress(ShelfMissing):
            assistant._shelf = Shelf(assistant.place.address, config, embedding=embedding)
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
            raise ShelfMissing(f"there is no shelf at {self.place.name}", self.place.name)
        return self._shelf

    def ingest(
        self,
        sources: Sequence[str | Path],
        *,
        format: str = "auto",
        page_year: int | None = None,
        limit: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        ray: str | None = None,
    ) -> IngestReport:
        """Read files, folders, globs or what services find into the shelf; see `rag.ingest.pipeline.ingest`.

        With `ray`, a Ray cluster encodes the papers: `local`, `auto` or `HOST:PORT`; see `rag.index.ray_encoding`.
        """
        with self._writing:
            if self._shelf is None:
                self._shelf = Shelf(self.place.address, self._config, create=True, embedding=self._embedding)
            with self._store(self._shelf, ray) as store:
                return ingest(
                    store, sources, format=format, page_year=page_year or self._config.page_year,
                    limit=limit, services={str(name): base for name, base in self._config.services.items()}, progress=progress,
                )  # fmt: skip

    def _store(self, shelf: Shelf, ray: str | None) -> AbstractContextManager[Store]:
        if ray is None:
            return nullcontext(shelf)
        from rag.index.ray_encoding import on_cluster

        return on_cluster(shelf, self._config, ray)

    def search(self, words: str, k: int = 10, filters: Mapping[str, Any] | None = None) -> list[Evidence]:
        """The `k` best papers for these words, each with its sentences, best first."""
        asked = cleaned(words)
        self.shelf.catch_up()
        retriever = Retriever(self.shelf)
        query = Query(asked, asked, filters=to_filters(filters))
        # Where neither words nor meaning meet there is nothing to show.
        found = [item for item in retriever.search(query, k) if item.lexical > 0 or item.cosine > 0.3]
        return retriever.with_spans(query, found, matched=False)

    def check(
        self, text: str, *, bib: str | Path | Sequence[str | Path] = (), tex: bool | None = None
    ) -> list[Finding]:
        """Each sentence of a text against the papers it cites, or the best of the shelf: the best quote and the verdict.

        Args:
            text: Markdown, plain text or LaTeX.
            bib: .bib files that its citations refer to, beside the reference list it may end with.
            tex: whether it is LaTeX; judged by its commands when None.

        Raises:
            UsageError: a .bib file cannot be read.
            ShelfMissing: there is no shelf, or nothing on it.
        """
        return list(self.check_each(self.manuscript(text, bib=bib, tex=tex)))

    def manuscript(
        self, text: str, *, bib: str | Path | Sequence[str | Path] = (), tex: bool | None = None
    ) -> Manuscript:
        """The sentences and references of a text, before anything is checked; see `check`."""
        files = [bib] if isinstance(bib, (str, Path)) else bib
        entries = [entry for file in files for entry in read_bibliography(Path(file))]
        return read(text, [*entries, *Library(self.shelf).named(text)], tex=tex)

    def check_each(self, manuscript: Manuscript) -> Iterator[Finding]:
        """The findings of a text one by one, as they are made; see `check`."""
        shelf = self._filled()
        return check_manuscript(manuscript, Library(shelf), Retriever(shelf), self._checker())

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
        """As `ask`; the language model is awaited, and what keeps the processor busy runs in threads."""
        async with aclosing(self.astream(question, history, filters)) as events:
            return [event.answer async for event in events if event.answer].pop()

    def stream(
        self, question: str, history: History | None = None, filters: Mapping[str, Any] | None = None
    ) -> Iterator[Event]:
        """The answer as it comes about: stages, text and citations, and then the final, checked answer.

        The final answer replaces all text before it.
        """
        return blocking(self._river(question, history, filters, Blocking()))

    def astream(
        self, question: str, history: History | None = None, filters: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Event, None]:
        """As `stream`, for use in an event loop."""
        return self._river(question, history, filters, Concurrent())

    async def _river(
        self, question: str, history: History | None, filters: Mapping[str, Any] | None, on: Execution
    ) -> AsyncGenerator[Event, None]:
        asked, clock, checked = cleaned(question), _Clock(), Checked(None)
        self.shelf  # noqa: B018  a missing shelf is said before anything is promised
        yield Event("status", "searching")
        query, turns, gathered = await on.work(self._retrieve, asked, (history or ())[-TURNS:], to_filters(filters))
        clock.lap("retrieve")
        if gathered.kept:
            yield Event("status", "writing")
            earlier = [turn.question for turn in turns]
            async with aclosing(self._write(query, gathered, earlier, clock, on)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Event):
                        yield piece
                    else:
                        checked = piece
        yield Event("final", answer=_answer(asked, query.filters, gathered, checked, clock.laps))

    def _retrieve(self, asked: str, history: History, filters: Filters) -> tuple[Query, list[Turn], Gathered]:
        shelf = self._filled()
        turns = to_turns(history, shelf)
        query, gathered = gather(understand(asked, shelf, turns, filters), Retriever(shelf))
        return query, turns, gathered

    def _checker(self) -> SupportChecker:
        return open_checker(self._config, self.shelf.embedder, self._backend)

    def _filled(self) -> Shelf:
        """The shelf as it is now, with something on it."""
        self.shelf.catch_up()
        if not len(self.shelf.segments):
            raise ShelfMissing(f"the shelf {self.place.name} is empty", self.place.name)
        return self.shelf

    async def _write(
        self, query: Query, gathered: Gathered, earlier: Sequence[str], clock: _Clock, on: Execution
    ) -> AsyncGenerator[Event | Checked, None]:
        """Text as it comes, then the checked draft; when the language model fails, the extractive one, saying so."""
        notes, shown = gathered.notes, False
        checker = self._checker()
        if self._model and not _told_by_the_ledger(query):
            patience, strict, layout = self._config.llm_timeout, self._config.strict, self._config.llm_layout
            writer = LanguageModelWriter(self._model, checker, patience=patience, strict=strict, layout=layout)
            try:
                async with aclosing(writer.write(query, gathered.kept, notes, earlier, on)) as pieces:
                    async for piece in pieces:
                        shown = shown or (isinstance(piece, Event) and piece.kind == "token")
                        yield piece
                clock.lap("write")
                return
            except WriterError as error:
                why = f"{error}; {error.hint}" if error.hint else str(error)
                notes = (*notes, f"(Written without a language model: {why}.)")
        opposed = await on.work(disagreements, gathered.kept)
        draft = await on.work(extractive.write, query, gathered.kept, notes, opposed)
        clock.lap("write")
        if not shown:  # text that was given up is not added to, but replaced by the final answer
            yield Event("token", draft.text)
        yield Event("status", "checking")
        claims = await on.work(verify, draft, checker)
        clock.lap("verify")
        yield Checked(draft, claims)


class _Clock:
    """Milliseconds that each stage took."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = (now - self._last) * 1000
        self._last = now


def _told_by_the_ledger(query: Query) -> bool:
    """Whether the answer is made of records and counts, of which abstracts say nothing."""
    return not query.topic or query.shape is Shape.COUNT or bool(query.field and query.names)


def _answer(question: str, filters: Filters, gathered: Gathered, checked: Checked, timings: dict[str, float]) -> Answer:
    draft = checked.draft
    if draft is None:
        return _abstention(question, filters, gathered, timings)
    standing = {item.paper.id: item.score for item in gathered.kept}
    used = dict.fromkeys(citation.paper for citation in draft.citations)
    papers = tuple((paper, standing.get(paper.id, 0.0)) for paper in used)
    unused = tuple((one.paper, one.score) for one in (*gathered.kept, *gathered.nearest) if one.paper not in used)
    return Answer(
        question, "answered", draft.text, None, checked.claims, draft.citations, papers, draft.writer,
        draft.model, draft.usage, timings, draft.prompt_hash, draft.flags, filters, unused,
    )  # fmt: skip


def _abstention(question: str, filters: Filters, gathered: Gathered, timings: dict[str, float]) -> Answer:
    reason = gathered.reason or "the language model found no answer in the papers that were retrieved"
    nearest = list({item.paper.id: item for item in (*gathered.kept, *gathered.nearest)}.values())[:SUGGESTIONS]
    text = "\n\n".join((f"{NOT_SAID}: {reason}.", *gathered.notes))
    if nearest:
        text += "\n\nNearest papers, which may help:\n" + "\n".join(
            f"- {readable(item.paper.title)}" for item in nearest
        )
    offered = tuple((item.paper, item.score) for item in nearest)
    return Answer(question, "abstained", text, reason, timings_ms=timings, filters=filters, nearest=offered)


def _environment() -> Settings:
    return settings()
