"""Saved searches of a shelf: what is new at their sources is taken in and told in a digest (Markdown), grouped by topic.

They are kept in `watched.json` in the shelf's folder, replaced whole. Before sources are asked it notes how far the shelf
went; a run that is killed leaves the note, and the next one tells what both took in.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from rag.assistant import Assistant
from rag.config import Settings
from rag.errors import ShelfError, ShelfMissing, UsageError
from rag.export import reference
from rag.index.lock import ShelfLock
from rag.index.place import Place
from rag.ingest.files import STARTER, is_address, shown
from rag.ingest.repair import readable
from rag.render import escaped
from rag.topics import topics
from rag.types import Paper, Rejected, Role

FILE, DIGESTS = "watched.json", "digests"
# Of these parts of an abstract the first sentence there is stands in the digest.
_TELLING = (Role.RESULT, Role.METHOD, Role.PROBLEM, Role.DATA, Role.RESOURCE)


@dataclass(frozen=True, slots=True)
class Search:
    """A source that is watched: an address (`arxiv:QUERY`) or an absolute path, how many papers a service is asked for (100
    when None), and the day of the last run (ISO)."""

    source: str
    limit: int | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """All searches of a shelf. `told` is the number of the last paper that was told before a run that has not ended."""

    searches: tuple[Search, ...] = ()
    told: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a run found: the papers that are new, where they are told, and what could not be read."""

    papers: tuple[Paper, ...]
    digest: Path | None
    rejected: tuple[Rejected, ...]


def read(folder: Path) -> Watched:
    """The searches kept in a shelf's folder.

    Raises:
        ShelfError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return Watched()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Watched(tuple(Search(**one) for one in data["searches"]), data["told"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShelfError(f"{path} is damaged: {error}", hint="delete it and add the searches again") from error


def add(shelf: str | Path, sources: Sequence[str], limit: int | None, settings: Settings) -> Watched:
    """Keep these sources; one that is kept already gets the new limit.

    Raises:
        UsageError: there is no such file, folder or service.
    """
    named = [_absolute(source) for source in sources]
    place = Place.of(shelf, settings)
    folder = place.folder
    with _alone(place, settings.lock_wait):
        watched = read(folder)
        kept = {one.source: one for one in watched.searches}
        kept |= {source: replace(kept.get(source, Search(source)), limit=limit) for source in named}
        return _save(folder, replace(watched, searches=tuple(kept.values())))


def remove(shelf: str | Path, sources: Sequence[str], settings: Settings) -> Watched:
    """Keep these sources no longer; their papers stay.

    Raises:
        UsageError: one is not kept.
    """
    place = Place.of(shelf, settings)
    folder = place.folder
    with _alone(place, settings.lock_wait):
        watched = read(folder)
        kept = {one.source: one for one in watched.searches}
        for source in sources:
            # A file that is gone is still known by its path.
            found = source if source in kept else shown(Path(source).absolute())
            if kept.pop(found, None) is None:
                raise UsageError(f"{source} is not watched", hint="see what is: attest watch list")
        return _save(folder, replace(watched, searches=tuple(kept.values())))


def run(assistant: Assistant, today: date) -> Run:
    """Ask every source, take in what is new, and write the digest.

    Raises:
        UsageError: nothing is watched.
        ShelfLocked: another run of this machine is under way.
    """
    # An open shelf in a folder is nobody else's already.
    with _alone(assistant.place, 0) if assistant.place.url else contextlib.nullcontext():
        return _run(assistant, today)


def _run(assistant: Assistant, today: date) -> Run:
    folder = assistant.folder
    watched = read(folder)
    if not watched.searches:
        raise UsageError(
            "nothing is watched", hint='add a search: attest watch add arxiv:"cat:cs.CL AND abs:attention"'
        )
    if watched.told is None:
        try:
            told = assistant.shelf.ledger.newest()
        except ShelfMissing:
            told = 0
        watched = _save(folder, replace(watched, told=told))
    rejected: list[Rejected] = []
    for one in watched.searches:
        rejected += assistant.ingest([one.source], limit=one.limit).rejected
    papers = tuple(paper for _, paper in assistant.shelf.ledger.all_papers(watched.told or 0))
    digest = None
    if papers:
        # Named by what was told before: a run that is repeated after it was killed writes the same file.
        digest = folder / DIGESTS / f"{today.isoformat()}-{watched.told}.md"
        digest.parent.mkdir(exist_ok=True)
        _replace(digest, "\n".join(_digest(papers, watched, assistant, today)) + "\n")
    searches = tuple(replace(one, last=today.isoformat()) for one in watched.searches)
    _save(folder, Watched(searches))
    return Run(papers, digest, tuple(rejected))


def _digest(papers: Sequence[Paper], watched: Watched, assistant: Assistant, today: date) -> Iterator[str]:
    found = topics(papers, assistant.shelf)
    yield f"# New papers, {today.isoformat()}\n"
    yield f"{len(papers)} new on the shelf, from:\n"
    yield from (f"- {escaped(one.source)}" for one in watched.searches)
    for topic in found:
        yield f"\n## {escaped(topic.name)} ({len(topic.papers)})\n"
        for paper in topic.papers:
            yield f"- {reference(paper)} On the shelf: `{paper.id}`"
            if said := _telling(paper, assistant):
                yield f"  > {escaped(readable(said))}"
    yield '\n`attest ask "..."` asks the shelf; the chat page\'s endpoint `/fetch` gives a paper by its id.'


def _telling(paper: Paper, assistant: Assistant) -> str:
    """The first sentence of the most telling part of an abstract, as it stands there."""
    sentences = assistant.shelf.ledger.sentences([paper.id])[paper.id]
    first = next((one for role in _TELLING for one in sentences if one.role is role), None)
    return paper.abstract[first.start : first.end] if first else ""


def _absolute(source: str) -> str:
    """A source as it is known wherever a run is started from."""
    if is_address(source):
        from rag.ingest import live

        live.parsed(source)
        return source
    path = Path(source)
    if source == STARTER:
        return source
    if not path.exists():
        raise UsageError(
            f"there is no file or folder {source}",
            hint='give one that is there, or a service and a query: arxiv:"cat:cs.CL AND abs:attention"',
        )
    return shown(path.absolute())


@contextlib.contextmanager
def _alone(place: Place, wait: float) -> Iterator[None]:
    """While nobody else of this machine has the shelf."""
    place.prepare(create=True)
    lock = ShelfLock(place.folder, wait)
    try:
        yield
    finally:
        lock.release()


def _save(folder: Path, watched: Watched) -> Watched:
    _replace(folder / FILE, json.dumps(asdict(watched), ensure_ascii=False, indent=1) + "\n")
    return watched


def _replace(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
