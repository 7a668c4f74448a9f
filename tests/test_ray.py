"""Papers encoded elsewhere, several batches at once: the shelf is that of one machine, whatever happens on the way."""

import dataclasses
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag import Assistant
from rag.cli import main
from rag.config import Settings
from rag.errors import IngestError, ModelError, UsageError
from rag.index.ahead import Ahead
from rag.index.embed import bundled_model_dir
from rag.index.ray_encoding import on_cluster
from rag.index.shelf import Shelf
from rag.index.upkeep import verify
from rag.ingest import pipeline
from rag.types import Paper
from tests.fakes import CRANE, MARMOT, STORK, ZEBRA, open_shelf, write_jsonl

STARTER = Path(__file__).parent.parent / "eval" / "datasets" / "papers.jsonl"


def content(folder: Path) -> dict[str, list[Any]]:
    """All that a shelf's ledger holds, bit by bit, but for the numbers that it and its transactions were given."""
    ledger = sqlite3.connect(folder / "ledger.sqlite")
    tables = [
        name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'history'")
    ]
    held = {name: sorted(ledger.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}
    ledger.close()
    return {name: [row for row in rows if "identity" not in row] for name, rows in held.items()}


# --- what is under way ---


class Waiting:
    """Encoders that begin when they are waited for, and note what they were given."""

    def __init__(self, shelf: Shelf, room: int) -> None:
        self.shelf, self.room, self.given, self.most = shelf, room, 0, 0
        self.open = 0

    def capacity(self) -> int:
        return self.room

    def submit(self, papers: Sequence[Paper]) -> list[Paper]:
        self.given += 1
        self.open += 1
        self.most = max(self.most, self.open)
        return list(papers)

    def result(self, ticket: list[Paper]) -> Any:
        self.open -= 1
        return self.shelf.paper_encoder.encode(ticket)


def records(*papers: Paper | dict[str, Any]) -> list[dict[str, Any]]:
    return [item if isinstance(item, dict) else item.to_dict() for item in papers]


AGAIN = dataclasses.replace(MARMOT, year=2025, doi="10.1000/marmot")
SIBLING = dataclasses.replace(CRANE, authors=("Ida Wren",), abstract="Cranes lift bricks. They are made of steel.")
REFERENCE = {"title": STORK.title, "doi": "10.1000/stork"}
OTHER_WORDS = dataclasses.replace(ZEBRA, abstract=f"{ZEBRA.abstract} Nobody knows why flies care.")
SLIP = dataclasses.replace(ZEBRA, title="Zebra Stripes Against Bitting Flies")


@pytest.mark.parametrize(
    ("room", "rows"),
    [
        (1, (MARMOT, CRANE, ZEBRA, STORK)),
        (2, (MARMOT, CRANE, AGAIN, ZEBRA, STORK, AGAIN)),
        (9, (CRANE, MARMOT, SIBLING, SIBLING, CRANE)),
        (2, (STORK, MARMOT, REFERENCE, CRANE, REFERENCE, {"title": "Nobody Knows", "doi": "10.1000/none"})),
        (3, (ZEBRA, MARMOT, OTHER_WORDS, SLIP, CRANE, STORK, ZEBRA)),
    ],
)
def test_what_is_under_way_is_known_as_if_it_was_stored(tmp_path, monkeypatch, room, rows):
    monkeypatch.setattr(pipeline, "BATCH", 1)
    source = write_jsonl(tmp_path / "papers.jsonl", records(*rows))
    with Shelf(tmp_path / "one", Settings(), create=True) as shelf:
        plain = pipeline.ingest(shelf, [source])
    with Shelf(tmp_path / "ahead", Settings(), create=True) as shelf:
        encoders = Waiting(shelf, room)
        report = pipeline.ingest(Ahead(shelf, encoders), [source])
        found = len(shelf.segments)
    assert report == plain
    assert found == plain.new
    assert content(tmp_path / "ahead") == content(tmp_path / "one")
    assert encoders.open == 0
    assert encoders.most > 1


def test_what_is_under_way_at_a_stop_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH", 1)
    source = write_jsonl(tmp_path / "papers.jsonl", records(MARMOT, CRANE, ZEBRA, STORK))

    def stop(progress: pipeline.Progress) -> None:
        if progress.papers == 3:
            raise KeyboardInterrupt

    with Shelf(tmp_path / "shelf", Settings(), create=True) as shelf:
        encoders = Waiting(shelf, 2)
        with pytest.raises(KeyboardInterrupt):
            pipeline.ingest(Ahead(shelf, encoders), [source], progress=stop)
        assert len(shelf.segments) == 1
        assert encoders.open == 2
    with Shelf(tmp_path / "shelf", Settings()) as shelf:
        report = pipeline.ingest(Ahead(shelf, Waiting(shelf, 2)), [source])
    assert (report.new, report.unchanged) == (3, 1)


# --- a request that cannot be met ---


def test_without_ray_it_is_said_how_to_install_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    source = write_jsonl(tmp_path / "papers.jsonl", records(MARMOT))
    assert main(["ingest", str(source), "--shelf", str(tmp_path / "shelf"), "--ray"]) == 2
    assert "pip install 'attest[ray]'" in capsys.readouterr().err


def test_a_source_is_not_taken_for_an_address(tmp_path, capsys):
    source = write_jsonl(tmp_path / "papers.jsonl", records(MARMOT))
    assert main(["ingest", "--shelf", str(tmp_path / "shelf"), "--ray", str(source), str(source)]) == 2
    assert "put it after the sources" in capsys.readouterr().err


def test_vectors_of_an_embedding_are_not_rays(tmp_path):
    class Four:
        model_name = "four"

        def get_text_embedding_batch(self, texts: list[str]) -> list[list[float]]:
            return [[1.0, 2.0, 3.0, 4.0] for _ in texts]

        def get_query_embedding(self, text: str) -> list[float]:
            return [1.0, 2.0, 3.0, 4.0]

    source = write_jsonl(tmp_path / "papers.jsonl", records(MARMOT))
    with (
        Assistant.open(tmp_path / "shelf", embedding=Four()) as assistant,
        pytest.raises(UsageError, match="built-in encoder"),
    ):
        assistant.ingest([source], ray="local")


# --- a cluster ---


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # listen on the loopback alone, as Ray does there
        pytest.importorskip("ray", reason="Ray is not installed (pip install 'attest[ray]')")
        from ray.cluster_utils import Cluster

        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        noticed = {"health_check_initial_delay_ms": 1_000, "health_check_period_ms": 1_000}
        node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args={**node, "_system_config": noticed})
        try:
            made.add_node(**node)
            made.add_node(**node)
            made.wait_for_nodes()
            yield made
        finally:
            made.shutdown()


def busy(node: Any) -> bool:
    """Whether a task is running on a node."""
    from ray._private.state import available_resources_per_node

    return not available_resources_per_node()[node.node_id].get("CPU")


def test_a_node_is_killed_and_the_shelf_is_that_of_one_machine(tmp_path, monkeypatch, cluster):
    monkeypatch.setattr(pipeline, "BATCH", 16)
    lines = STARTER.read_text(encoding="utf-8").splitlines(keepends=True)[:144]
    source = tmp_path / "papers.jsonl"
    source.write_text("".join([*lines, *lines[:20]]), encoding="utf-8")
    doomed = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
    killed: list[int] = []

    def kill(progress: pipeline.Progress) -> None:
        if progress.papers >= 112 and not killed:  # six batches of seven are under way
            deadline = time.monotonic() + 60
            while not busy(doomed) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert busy(doomed)
            cluster.remove_node(doomed, allow_graceful=False)
            killed.append(progress.papers)

    with Assistant.open(tmp_path / "one") as assistant:
        plain = assistant.ingest([source])
    with Assistant.open(tmp_path / "ray") as assistant:
        report = assistant.ingest([source], progress=kill, ray=cluster.address)
        assert [item.paper.id for item in assistant.search("attention", 5)]
    assert killed
    assert killed[0] < plain.new
    assert report == plain
    assert content(tmp_path / "ray") == content(tmp_path / "one")


def test_a_machine_without_the_model_is_named(tmp_path, cluster):
    folder = shutil.copytree(bundled_model_dir(), tmp_path / "model")
    source = tmp_path / "papers.jsonl"
    settings = Settings(embedding_model=str(folder))
    with open_shelf(tmp_path, [ZEBRA], settings) as assistant:
        write_jsonl(source, records(MARMOT, CRANE))
        with on_cluster(assistant.shelf, settings, cluster.address) as store:
            shutil.rmtree(folder)  # as on a machine that never had it
            with pytest.raises(ModelError, match=r"no embedding model at .* a machine of the Ray cluster"):
                pipeline.ingest(store, [source])
        assert len(assistant.shelf.segments) == 1


def test_no_cluster_at_an_address(tmp_path, cluster):
    source = write_jsonl(tmp_path / "papers.jsonl", records(MARMOT))
    with Assistant.open(tmp_path / "shelf") as assistant, pytest.raises(IngestError, match="no Ray cluster at"):
        assistant.ingest([source], ray="127.0.0.1:9")


def test_a_cluster_of_this_machines_own(tmp_path, capsys):
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'attest[ray]')")
    source = write_jsonl(tmp_path / "papers.jsonl", records(MARMOT, CRANE, ZEBRA, STORK))
    assert main(["ingest", str(source), "--shelf", str(tmp_path / "ray"), "--ray"]) == 0
    assert "4 new" in capsys.readouterr().out
    assert main(["ingest", str(source), "--shelf", str(tmp_path / "one")]) == 0
    assert content(tmp_path / "ray") == content(tmp_path / "one")
    assert verify(tmp_path / "ray", Settings()).stale == ()
