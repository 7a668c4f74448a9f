"""Sources behind an address: arXiv, OpenAlex, Semantic Scholar and Hugging Face's papers, page by page over one HTTP client.

The pages are read by the modules that read the same formats from files. Nothing is kept between runs but the shelf itself:
what an interrupted run stored is known to the next one, which says where to go on (`#START`).
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from rag.errors import IngestError, UsageError
from rag.ingest import arxiv_atom, huggingface, openalex, semantic_scholar
from rag.ingest.files import ADDRESS
from rag.ingest.formats import Reader
from rag.types import Paper, Rejected

# Papers when nobody says how many.
LIMIT = 100
ATTEMPTS = 4
LONGEST_WAIT = 60.0
# Bytes of the largest page that is read.
LARGEST_PAGE = 50_000_000
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
EXAMPLES = 'arxiv:"cat:cs.CL AND abs:attention", openalex:"linear attention", s2:"linear attention", hf:daily/2025-12-12, hf:search/"linear attention"'
_TOTAL = re.compile(rb"totalResults[^<>]*>\s*(\d+)\s*<")


@dataclass(frozen=True, slots=True)
class Service:
    """How one service is asked: its address, papers a page, seconds between two requests (as its terms ask), its format, and
    the address of a page (query, first paper, papers a page)."""

    base: str
    page: int
    pause: float
    reader: Reader
    address: Callable[[str, int, int], str]


def _arxiv(query: str, start: int, count: int) -> str:
    return "?" + urlencode({"search_query": query, "start": start, "max_results": count, "sortBy": "submittedDate"})


def _openalex(query: str, start: int, count: int) -> str:
    return "/works?" + urlencode({"search": query, "per-page": count, "page": start // count + 1})


def _s2(query: str, start: int, count: int) -> str:
    fields = "title,abstract,year,publicationDate,authors,externalIds,url"
    return "/paper/search?" + urlencode({"query": query, "offset": start, "limit": count, "fields": fields})


def _hf(query: str, start: int, count: int) -> str:
    kind, _, said = query.partition("/")
    if kind == "daily" and re.fullmatch(r"\d{4}-\d\d-\d\d", said):
        return "/daily_papers?" + urlencode({"date": said, "limit": count, "p": start // count})
    if kind == "search" and said.strip():
        return "/papers/search?" + urlencode({"q": said.strip('"')}) if not start else ""
    raise UsageError(f"hf:{query} is no source", hint="give hf:daily/YYYY-MM-DD or hf:search/WORDS")


SERVICES: dict[str, Service] = {
    "arxiv": Service("https://export.arxiv.org/api/query", 100, 3.0, arxiv_atom, _arxiv),
    "openalex": Service("https://api.openalex.org", 100, 0.2, openalex, _openalex),
    "s2": Service("https://api.semanticscholar.org/graph/v1", 100, 1.1, semantic_scholar, _s2),
    "hf": Service("https://huggingface.co/api", 100, 0.5, huggingface, _hf),
}


def parsed(source: str) -> tuple[Service, str, str, int]:
    """The service that a source names, its name, the query, and how many papers to leave out.

    Raises:
        UsageError: there is no such service or query.
    """
    found = ADDRESS.fullmatch(source)
    query = found[2].strip().strip('"').strip() if found else ""
    if not found or not query:
        raise UsageError(f"{source!r} is no source", hint=f"such as {EXAMPLES}")
    service = SERVICES[found[1]]
    service.address(query, 0, service.page)  # a query it does not know is refused now
    return service, found[1], query, int(found[3] or 0)


def read(
    source: str,
    limit: int = LIMIT,
    bases: Mapping[str, str] | None = None,
    sleep: Callable[[float], None] | None = None,
) -> Iterator[Paper | Rejected]:
    """The papers that a service finds, at most `limit`, page by page.

    Args:
        source: `SERVICE:QUERY`, and `#START` to leave out that many papers.
        limit: how many records at most.
        bases: addresses of services in place of their own.
        sleep: waits that many seconds; `time.sleep` when None.

    Raises:
        UsageError: there is no such service or query.
        IngestError: the service cannot be reached, refuses, or breaks off; the hint says how to go on.
    """
    service, name, query, start = parsed(source)
    sleep = sleep or time.sleep
    base = (bases or {}).get(name, service.base).rstrip("/")
    at, last = start, start + limit
    with httpx.Client(
        timeout=TIMEOUT, follow_redirects=True, headers={"user-agent": "attest (python-httpx)"}
    ) as client:
        while at < last:
            address = service.address(query, at - at % service.page, service.page)
            if not address:
                return
            try:
                body = _fetched(client, f"{base}{address}", at, sleep)
            except IngestError as error:
                raise IngestError(str(error), hint=_how_to_go_on(error, name, query, at)) from error
            stream: io.BufferedReader[Any] = io.BufferedReader(io.BytesIO(body))
            records = [] if body.strip() == b"[]" else list(service.reader.read(stream, source))
            wanted = records[at % service.page :][: last - at]
            yield from wanted
            at += len(wanted)
            if len(records) < service.page:
                return
            sleep(service.pause)


def _how_to_go_on(error: IngestError, name: str, query: str, at: int) -> str:
    resume = f'what came before is stored; go on with: attest ingest {name}:"{query}#{at}"' if at else ""
    return "; ".join(part for part in (error.hint, resume) if part)


def _fetched(client: httpx.Client, address: str, at: int, sleep: Callable[[float], None]) -> bytes:
    """The whole body at an address. A busy or broken server is asked again, after the time it names or twice the last.

    Raises:
        IngestError: it cannot be reached, says no, or is still busy at the last attempt.
    """
    wait, fault = 1.0, ""
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(min(wait, LONGEST_WAIT))
            wait *= 2
        try:
            with client.stream("GET", address) as response:
                status = response.status_code
                if status in (429, 500, 502, 503, 504):
                    fault = f"answers {status} {response.reason_phrase}".rstrip()
                    wait = max(wait, _named_wait(response.headers.get("retry-after", "")))
                    continue
                if status >= 400:
                    raise IngestError(
                        f"{address} answers {status} {response.reason_phrase}".rstrip(),
                        hint="see whether the query is right",
                    )
                body = _body(response)
            if fault := _incomplete(body, at):
                continue
            return body
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            fault = f"cannot be reached: {error or type(error).__name__}"
        except httpx.TransportError as error:
            fault = f"breaks off: {error or type(error).__name__}"
    host = httpx.URL(address).host
    hint = "is there a network? files can be read without one" if fault.startswith("cannot") else "try again later"
    raise IngestError(f"{host} {fault} ({ATTEMPTS} attempts)", hint=hint)


def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > LARGEST_PAGE:
            raise IngestError(f"{response.url} sends more than {LARGEST_PAGE:,} bytes")
    return bytes(body)


def _incomplete(body: bytes, at: int) -> str:
    """What is wrong with a page that came whole and yet is not, or nothing: cut off by a server in between, a log-in page in its
    place, or arXiv's empty feed in the midst of its results."""
    if body.lstrip().startswith((b"{", b"[")):
        try:
            json.loads(body)
        except ValueError:
            return "sends a page that is cut off"
        return ""
    if b"http://www.w3.org/2005/Atom" not in body[:2_000]:
        return "sends something else than results"
    if b"</feed>" not in body[-100:]:
        return "sends a page that is cut off"
    total = _TOTAL.search(body)
    return "sends an empty page" if total and int(total[1]) > at and b"<entry" not in body else ""


def _named_wait(header: str) -> float:
    return float(header) if re.fullmatch(r"\d{1,4}(?:\.\d+)?", header) else 0.0
