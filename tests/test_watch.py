"""Saved searches: what is new is told once, in groups, whatever breaks off in between."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from fakes import MARMOT, PAPERS, STORK, ZEBRA, paper, write_jsonl
from test_cli import attest
from test_live import QUERIES, Service

from rag import Assistant, Settings, watch
from rag.errors import ShelfError, UsageError
from rag.topics import OTHERS, topics

TODAY = date(2026, 1, 2)
FLIES = paper(
    "Why Flies Avoid Zebra Stripes",
    "Flies avoid the stripes of a zebra. We filmed biting flies near zebras and horses. Stripes confuse flies when they land.",
    year=2022,
)


def write(path, *papers):
    return write_jsonl(path, (one.to_dict() for one in papers))


def run(folder, settings=None):
    with Assistant.open(folder, settings=settings) as assistant:
        return watch.run(assistant, TODAY)


def test_what_is_new_is_told_once_and_by_topic(tmp_path):
    folder, source = tmp_path / "shelf", write(tmp_path / "a.jsonl", ZEBRA, MARMOT, FLIES)
    watch.add(folder, [str(source)], None, Settings())
    found = run(folder)
    assert [one.id for one in found.papers] == [ZEBRA.id, MARMOT.id, FLIES.id]
    text = found.digest.read_text(encoding="utf-8")
    assert text.startswith("# New papers, 2026-01-02\n\n3 new on the shelf, from:\n\n- ")
    (first, second) = re.findall(r"^## (.+) \((\d)\)$", text, re.MULTILINE)
    assert first[1] == "2"
    assert {"zebra", "stripes", "flies"} & set(first[0].split(", "))
    assert second == (OTHERS, "1")
    for one in (ZEBRA, MARMOT, FLIES):
        assert f"`{one.id}`" in text
    assert run(folder).papers == ()
    write(source, ZEBRA, MARMOT, FLIES, STORK)
    again = run(folder)
    assert [one.id for one in again.papers] == [STORK.id]
    assert again.digest != found.digest
    assert STORK.title in again.digest.read_text(encoding="utf-8")
    assert ZEBRA.title not in again.digest.read_text(encoding="utf-8")


def test_papers_that_came_by_other_ways_are_not_told(tmp_path):
    folder = tmp_path / "shelf"
    watch.add(folder, [str(write(tmp_path / "a.jsonl", ZEBRA, STORK))], None, Settings())
    with Assistant.open(folder) as assistant:
        assistant.ingest([write(tmp_path / "b.jsonl", MARMOT, STORK)])
    assert [one.id for one in run(folder).papers] == [ZEBRA.id]


def test_groups_do_not_depend_on_chance(tmp_path):
    with Assistant.open(tmp_path / "shelf") as assistant:
        assistant.ingest([write(tmp_path / "a.jsonl", *PAPERS, FLIES)])
        papers = [one for _, one in assistant.shelf.ledger.all_papers()]
        first = topics(papers, assistant.shelf)
        assert topics(papers, assistant.shelf) == first
        assert {one.id for topic in first for one in topic.papers} == {one.id for one in papers}
        other = topics(papers[::-1], assistant.shelf)
        assert {frozenset(one.id for one in topic.papers) for topic in other} == {frozenset(one.id for one in topic.papers) for topic in first}  # fmt: skip
        assert topics(papers[:1], assistant.shelf)[0].name == OTHERS


def test_a_service_is_asked_with_its_limit_and_nothing_is_lost_where_another_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("rag.ingest.live.time.sleep", lambda seconds: None)
    folder, watched = tmp_path / "shelf", [QUERIES["arxiv"], QUERIES["s2"]]
    with Service("arxiv") as arxiv, Service("s2") as s2:
        settings = Settings(services={"arxiv": arxiv.base, "s2": s2.base})
        watch.add(folder, watched, 5, settings)
        s2.faults = [404]
        found = run(folder, settings)
        assert len(found.papers) == 5
        assert ["404" in one.reason for one in found.rejected] == [True]
        watch.remove(folder, [QUERIES["s2"]], settings)
        watch.add(folder, [QUERIES["arxiv"]], 7, settings)
        assert len(run(folder, settings).papers) == 2
        assert len(s2.asked) == 1


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from rag import Assistant, watch
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
step = sys.argv[2]
if step == "before the digest":
    watch._digest = kill
elif step == "after the digest":
    old = watch._save
    watch._save = lambda folder, watched: kill() if watched.told is None else old(folder, watched)
else:
    old = Assistant.ingest
    def once(self, sources, **more):
        old(self, sources, **more)
        kill()
    Assistant.ingest = once
with Assistant.open(Path(sys.argv[1])) as assistant:
    watch.run(assistant, date(2026, 1, 2))
"""


@pytest.mark.parametrize("step", ["between two sources", "before the digest", "after the digest"])
def test_a_run_that_is_killed_loses_nothing(tmp_path, step):
    folder = tmp_path / "shelf"
    sources = [str(write(tmp_path / "a.jsonl", ZEBRA)), str(write(tmp_path / "b.jsonl", MARMOT))]
    watch.add(folder, sources, None, Settings())
    root = Path(watch.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", KILLED, folder, step], check=False, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert done.returncode == -signal.SIGKILL
    found = run(folder)
    assert [one.id for one in found.papers] == [ZEBRA.id, MARMOT.id]
    assert [path.name for path in (folder / "digests").iterdir()] == [found.digest.name]
    assert run(folder).papers == ()


def test_what_is_wrong_is_told(tmp_path):
    folder = tmp_path / "shelf"
    with pytest.raises(UsageError, match="nothing is watched"):
        run(folder)
    for source in ("nowhere", "hf:owls", "arxiv:"):
        with pytest.raises(UsageError):
            watch.add(folder, [source], None, Settings())
    with pytest.raises(UsageError, match="not watched"):
        watch.remove(folder, ["arxiv:owls"], Settings())
    (folder / watch.FILE).write_text("[")
    with pytest.raises(ShelfError, match="damaged"):
        watch.read(folder)


def test_from_the_command_line(tmp_path):
    write(tmp_path / "a.jsonl", ZEBRA)

    def told(*words):
        done = attest("watch", *words, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    assert told("list") == (0, "nothing is watched; add a search: attest watch add SOURCE\n", "")
    assert told("run")[0] == told("add")[0] == told("add", "a.jsonl", "--limit", "0")[0] == 2
    assert told("add", "a.jsonl") == (0, f"{tmp_path / 'a.jsonl'}  (last run: never)\n", "")
    code, out, _ = told("run")
    assert (code, out[:7]) == (0, "1 new: ")
    assert ZEBRA.id in (tmp_path / out[7:].strip()).read_text(encoding="utf-8")
    assert told("run") == (3, "nothing new since the last run\n", "")
    (tmp_path / "a.jsonl").unlink()
    code, out, err = told("run")
    assert (code, "a.jsonl" in err) == (1, True)
    assert told("remove", "a.jsonl")[0] == 0
    assert json.loads((tmp_path / "shelf" / watch.FILE).read_text())["searches"] == []
