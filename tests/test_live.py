"""Services of papers, played by local servers: pages, limits, throttling, errors, cut-off bodies, and no network at all."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from test_pipeline import Fake

from rag.errors import IngestError, UsageError
from rag.ingest import live, pipeline
from rag.ingest.files import is_address
from rag.types import Paper

TOTAL = 230


def page(name, asked):
    """The page that a service has of its papers for these parameters."""

    def rows(start, count):
        return range(start, min(start + count, TOTAL))

    if name == "arxiv":
        entries = "".join(
            f"<entry><id>http://arxiv.org/abs/2401.{n:05}v1</id><title>Owl {n}</title><summary>It hoots {n}.</summary></entry>"
            for n in rows(int(asked["start"]), int(asked["max_results"]))
        )
        total = f"<opensearch:totalResults>{TOTAL}</opensearch:totalResults>"
        return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">{total}{entries}</feed>'
    if name == "openalex":
        count = int(asked["per-page"])
        index = {"It": [0], "hoots.": [1]}
        found = [
            {"id": f"https://openalex.org/W{n}", "title": f"Owl {n}", "abstract_inverted_index": index}
            for n in rows((int(asked["page"]) - 1) * count, count)
        ]
        return json.dumps({"meta": {"count": TOTAL}, "results": found})
    if name == "s2":
        found = [
            {"paperId": str(n), "title": f"Owl {n}", "abstract": "It hoots."}
            for n in rows(int(asked["offset"]), int(asked["limit"]))
        ]
        return json.dumps({"total": TOTAL, "offset": int(asked["offset"]), "data": found})
    count = int(asked.get("limit", TOTAL))
    found = [
        {"paper": {"id": f"2401.{n:05}", "title": f"Owl {n}", "summary": "It\nhoots.", "publishedAt": "2024-01-02T00:00:00.000Z", "authors": [{"name": "Ann Bird"}]}, "numComments": 3}
        for n in rows(int(asked.get("p", 0)) * count, count)
    ]  # fmt: skip
    return json.dumps(found)


class Service:
    """A server of one service's pages. `faults` are given first, in turn: a status, (status, headers), or a function of the
    right body to what is sent in its place; `lie` sends less than the length it names."""

    def __init__(self, name):
        self.asked, self.faults, service = [], [], self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
                service.asked.append((parts.path, asked))
                body = page(name, asked).encode()
                fault = service.faults.pop(0) if service.faults else None
                status, headers = (
                    (fault, {}) if isinstance(fault, int) else fault if isinstance(fault, tuple) else (200, {})
                )
                whole = len(body)
                if callable(fault):
                    body = fault(body)
                    whole = whole if fault is cut_on_the_way else len(body)
                if status != 200:
                    body, whole = b"busy", 4
                self.send_response(status)
                for key, value in {"content-length": str(whole), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def cut_on_the_way(body):
    return body[: len(body) // 2]


def cut_by_the_server(body):
    return body[: len(body) // 2]


def log_in(body):
    return b"<html>please log in</html>"


QUERIES = {
    "arxiv": 'arxiv:"cat:cs.CL AND abs:owls"',
    "openalex": "openalex:sleepy owls",
    "s2": "s2:sleepy owls",
    "hf": "hf:daily/2025-12-12",
}


@pytest.fixture(params=list(QUERIES))
def service(request):
    with Service(request.param) as running:
        running.name, running.query = request.param, QUERIES[request.param]
        yield running


def read(service, limit=1_000, query=None, waits=None):
    waits = [] if waits is None else waits
    return list(live.read(query or service.query, limit, {service.name: service.base}, waits.append))


def titles(papers):
    assert all(isinstance(paper, Paper) for paper in papers)
    return [paper.title for paper in papers]


def test_all_pages_are_read_in_order_and_politely(service):
    waits = []
    assert titles(read(service, waits=waits)) == [f"Owl {n}" for n in range(TOTAL)]
    assert len(service.asked) == 3
    assert waits == [live.SERVICES[service.name].pause] * 2


def test_no_more_than_the_limit_is_asked_for(service):
    assert titles(read(service, 120)) == [f"Owl {n}" for n in range(120)]
    assert len(service.asked) == 2


def test_a_run_goes_on_where_another_stopped(service):
    assert titles(read(service, 60, f"{service.query}#150")) == [f"Owl {n}" for n in range(150, 210)]


def test_a_busy_server_is_asked_again_after_the_time_it_names(service):
    service.faults = [(429, {"retry-after": "7"}), 503, None, 500]
    waits = []
    assert len(read(service, waits=waits)) == TOTAL
    pause = live.SERVICES[service.name].pause
    assert waits == [7.0, 14.0, pause, 1.0, pause]


@pytest.mark.parametrize("fault", [cut_on_the_way, cut_by_the_server, log_in, lambda body: b""])
def test_a_page_that_is_not_whole_is_asked_for_again(service, fault):
    service.faults = [None, fault]
    assert len(read(service)) == TOTAL
    assert len(service.asked) == 4


def test_an_empty_page_amid_the_results_of_arxiv():
    with Service("arxiv") as running:
        running.name, running.query = "arxiv", QUERIES["arxiv"]
        running.faults = [lambda body: body[: body.index(b"<entry>")] + b"</feed>"]
        assert len(read(running)) == TOTAL


def test_a_server_that_stays_broken_says_how_to_go_on(service):
    service.faults = [None, *[502] * live.ATTEMPTS]
    found = []
    papers = live.read(service.query, 1_000, {service.name: service.base}, lambda seconds: None)
    with pytest.raises(IngestError, match="answers 502") as error:
        found.extend(papers)
    assert len(found) == 100
    assert f"attest ingest {service.name}:" in error.value.hint
    assert '#100"' in error.value.hint


def test_what_is_refused_is_not_asked_again(service):
    service.faults = [404]
    with pytest.raises(IngestError, match="answers 404 Not Found"):
        read(service)
    assert len(service.asked) == 1


def test_without_a_network(monkeypatch):
    waits = []
    with pytest.raises(IngestError, match="cannot be reached") as error:
        list(live.read("arxiv:owls", 10, {"arxiv": "http://127.0.0.1:9"}, waits.append))
    assert "is there a network?" in error.value.hint
    assert waits == [1.0, 2.0, 4.0]


def test_what_is_asked(service):
    read(service, 5)
    ((path, asked),) = service.asked
    wanted = {
        "arxiv": {
            "search_query": "cat:cs.CL AND abs:owls",
            "start": "0",
            "max_results": "100",
            "sortBy": "submittedDate",
        },
        "openalex": {"search": "sleepy owls", "per-page": "100", "page": "1"},
        "s2": {"query": "sleepy owls", "offset": "0", "limit": "100"},
        "hf": {"date": "2025-12-12", "limit": "100", "p": "0"},
    }[service.name]
    assert {key: asked[key] for key in wanted} == wanted
    assert (
        path == {"arxiv": "/", "openalex": "/works", "s2": "/paper/search", "hf": "/daily_papers"}[service.name]
        or path == ""
    )


def test_a_search_of_hugging_face():
    with Service("hf") as running:
        running.name = "hf"
        (first, *_) = read(running, 30, 'hf:search/"sleepy owls"')
        assert running.asked == [("/papers/search", {"q": "sleepy owls"})]
    assert (first.abstract, first.arxiv_id, first.date, first.authors, first.comment_count) == (
        "It hoots.", "2401.00000", "2024-01-02", ("Ann Bird",), 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    "source",
    ["arxiv:", "arxiv:  ", 'arxiv:""', "hf:owls", "hf:daily/soon", "hf:search/", "bing:owls", "https://e.example"],
)
def test_what_is_no_source(source):
    with pytest.raises(UsageError):
        live.parsed(source)


def test_addresses_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s2:notes").write_text("x")
    assert [is_address(source) for source in ("arxiv:owls", "s2:notes", "s2:other", "notes.bib", "c:/x", "arxiv://x")] == [
        True, False, True, False, False, False,
    ]  # fmt: skip


def test_into_a_shelf_beside_files_and_again(service, tmp_path, monkeypatch):
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": "Owl 3", "abstract": "It hoots."}) + "\n")
    store = Fake()
    sources = [service.query, tmp_path / "a.jsonl"]
    report = pipeline.ingest(store, sources, limit=50, services={service.name: service.base})
    assert (report.read, report.new, report.merged) == (51, 50, 1)
    again = pipeline.ingest(store, [service.query], limit=50, services={service.name: service.base})
    assert (again.new, again.unchanged + again.updated) == (0, 50)
    service.faults = [404]
    (one,) = pipeline.ingest(store, [service.query], services={service.name: service.base}).rejected
    assert one.file == service.query
    assert "404" in one.reason
