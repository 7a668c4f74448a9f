"""What happens to a shelf when its process, its disk, its files or its clock fail: done for real, in processes of their own."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import chromadb
import pytest

from eval.cases import DATASETS
from rag.assistant import Assistant
from rag.config import Settings
from rag.index.upkeep import verify
from tests.fakes import write_jsonl

ROOT = Path(__file__).parent.parent
PAPERS = [json.loads(line) for line in (DATASETS / "papers.jsonl").read_text(encoding="utf-8").splitlines()[:36]]
QUESTIONS = ("linear attention", "training on fewer examples", "what does the benchmark measure?")
KILLS = 30
# The command line, with batches so small that an ingest commits many times.
ATTEST = "import sys; from rag.ingest import pipeline; pipeline.BATCH = 4; from rag.cli import main; sys.exit(main())"


def attest(*arguments, **options):
    command = [sys.executable, "-c", ATTEST, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def started(*arguments, **options):
    command = [sys.executable, "-c", ATTEST, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def content(folder):
    """Papers, passages and what searches find."""
    with Assistant.open(folder) as assistant:
        ledger = assistant.shelf.ledger
        passages = [passage.id for held, _ in ledger.passages(-1, 1_000) for passage, _ in held]
        found = [[(item.paper.id, round(item.score, 3)) for item in assistant.search(one)] for one in QUESTIONS]
        return sorted(paper.to_dict().items() for _, paper in ledger.all_papers()), sorted(passages), found


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("source") / "papers.jsonl", PAPERS)


@pytest.fixture(scope="module")
def undisturbed(source, tmp_path_factory):
    """A shelf that nothing happened to, and the seconds its ingest took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "shelf"
    began = time.monotonic()
    assert attest("ingest", source, "--shelf", folder).returncode == 0
    return folder, time.monotonic() - began


@pytest.fixture
def shelf(undisturbed, tmp_path):
    shutil.copytree(undisturbed[0], tmp_path / "shelf")
    return tmp_path / "shelf"


@pytest.fixture(scope="module")
def whole(undisturbed):
    return content(undisturbed[0])


# --- the process ---


def stored(folder):
    """How many papers a shelf has that another process may be writing to."""
    try:
        with sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True, timeout=5) as database:
            return database.execute("SELECT count(*) FROM papers").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_killed_at_any_moment_and_run_again_it_is_the_same_shelf(source, undisturbed, whole, tmp_path):
    """Each ingest is killed somewhere and the next goes on with what it left; of every few, the last is let end."""
    moments = random.Random(8)
    folder, killed, amid = tmp_path / "shelf", 0, 0
    for number in range(1, KILLS + 1):
        process = started("ingest", source, "--shelf", folder)
        time.sleep(moments.uniform(0.2, 1.0) * undisturbed[1])
        killed += process.poll() is None
        process.kill()
        process.communicate()
        amid += 0 < stored(folder) < len(PAPERS)
        if number % 3 == 0:  # soon there would be nothing left to store
            done = attest("ingest", source, "--shelf", folder)
            assert done.returncode == 0, done.stderr
            assert content(folder) == whole
            assert verify(folder, Settings()).stale == ()
            shutil.rmtree(folder)
    assert killed > KILLS / 2
    assert amid > 0


def test_interrupted_it_says_so_and_keeps_what_was_stored(source, whole, tmp_path):
    folder = tmp_path / "shelf"
    process = started("ingest", source, "--shelf", folder, start_new_session=True)
    while process.poll() is None and not stored(folder):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "attest: stopped; what was stored so far is kept"
    kept = stored(folder)
    assert 0 < kept < len(PAPERS)
    with Assistant.open(folder) as assistant:
        assert len(assistant.shelf.segments) == kept
    assert attest("ingest", source, "--shelf", folder).returncode == 0
    assert content(folder) == whole


def test_an_interrupted_eval_says_so_and_goes_on(tmp_path):
    out = tmp_path / "run"
    command = ("eval", "answers", "--limit", "60", "--out", out)
    process = started(*command, start_new_session=True)
    records = out / "records.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (records.is_file() and records.stat().st_size > 2_000):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert "Traceback" not in said
    before = records.read_bytes()
    assert attest(*command).returncode == 0
    assert records.read_bytes().startswith(before[: before.rindex(b"\n")])


def test_a_second_process_is_told_who_has_the_shelf_and_how_to_go_on(shelf):
    with Assistant.open(shelf):
        refused = attest("search", "attention", "--shelf", shelf, env=os.environ | {"ATTEST_LOCK_WAIT": "0.1"})
    assert refused.returncode == 4
    assert f"process {os.getpid()}" in refused.stderr
    assert "attest serve" in refused.stderr
    assert attest("search", "attention", "--shelf", shelf).returncode == 0


# --- the disk ---


def test_a_full_disk_is_told_and_loses_nothing(source, whole, tmp_path):
    def little() -> None:  # of any file: as full a disk as can be had without one
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    first = write_jsonl(tmp_path / "first.jsonl", PAPERS[:4])
    assert attest("ingest", first, "--shelf", tmp_path / "shelf").returncode == 0
    full = attest("ingest", source, "--shelf", tmp_path / "shelf", preexec_fn=little)
    assert full.returncode == 4
    assert "Traceback" not in full.stderr
    assert "full" in full.stderr
    assert stored(tmp_path / "shelf") >= 4
    assert attest("ingest", source, "--shelf", tmp_path / "shelf").returncode == 0
    assert content(tmp_path / "shelf")[1] == whole[1]  # the passages; some papers now stand in two files


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be refused: root ignores modes")
def test_a_folder_that_cannot_be_written_is_told(source, tmp_path):
    """Root does it once, so that everything is loaded, and then as nobody."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    for parent in folder.parents:
        if tmp_path.parent.parent in (parent, *parent.parents):  # pytest's folders are their owner's alone
            parent.chmod(0o755)
    twice = (
        "import os, sys; from rag.cli import main; source, one, other = sys.argv[1:]; main(['ingest', source, '--shelf', one]); "
        "os.setgid(65534); os.setuid(65534); sys.exit(main(['ingest', source, '--shelf', other]))"
    )
    command = [sys.executable, "-c", twice, str(source), str(tmp_path / "shelf"), str(folder / "shelf")]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 4, refused.stderr
    assert "Traceback" not in refused.stderr
    assert f"no shelf can be made at {folder}" in refused.stderr
    assert "--shelf" in refused.stderr
    folder.chmod(0o000)
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "may you read" in refused.stderr
    folder.chmod(0o755)


# --- files ---


def test_a_hostile_collection_is_not_obeyed(shelf, whole, tmp_path):
    """An embedding function that a collection names is code that a client would load: it is made anew in place of obeyed."""
    trap = tmp_path / "sprung"
    with sqlite3.connect(shelf / "chroma" / "chroma.sqlite3") as database:
        hostile = {"embedding_function": {"type": "known", "name": "../evil", "config": {"url": f"file://{trap}"}}}
        columns = [row[1] for row in database.execute("PRAGMA table_info(collections)")]
        assert "config_json_str" in columns
        (old,) = database.execute("SELECT config_json_str FROM collections").fetchone()
        database.execute("UPDATE collections SET config_json_str = ?", (json.dumps(json.loads(old or "{}") | hostile),))
    assert content(shelf) == whole
    assert not trap.exists()


def test_the_collection_emptied_behind_its_back(shelf, whole):
    client = chromadb.PersistentClient(str(shelf / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False))
    client.delete_collection("passages")
    client.close()
    assert content(shelf) == whole


def test_a_newer_shelf_is_refused_with_what_to_do(shelf):
    with sqlite3.connect(shelf / "ledger.sqlite") as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    refused = attest("search", "attention", "--shelf", shelf)
    assert refused.returncode == 4
    assert "upgrade attest" in refused.stderr


# --- the clock ---


def test_a_clock_that_jumps_changes_nothing(source, whole, tmp_path):
    jumps = "import itertools, time; real = time.time; step = itertools.count(); time.time = lambda: real() + (-1) ** next(step) * 10**8; "
    command = [sys.executable, "-c", jumps + ATTEST, "ingest", str(source), "--shelf", str(tmp_path / "shelf")]
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0
    for path in (tmp_path / "shelf").rglob("*"):
        os.utime(path, (4 * 10**9, 4 * 10**9))  # in the next century
    assert attest("ingest", source, "--shelf", tmp_path / "shelf").returncode == 0
    assert content(tmp_path / "shelf") == whole


# --- readers ---


def test_readers_during_writes_see_whole_papers(tmp_path, source, whole):
    known, failed, answered = {paper["title"] for paper in PAPERS}, [], []
    first = write_jsonl(tmp_path / "first.jsonl", PAPERS[:6])
    with Assistant.open(tmp_path / "shelf") as assistant:
        assistant.ingest([first])
        over = threading.Event()

        def read(question: str) -> None:
            while not over.is_set():
                try:
                    titles = {item.paper.title for item in assistant.search(question)}
                    assert titles
                    assert titles <= known
                    answered.append(len(titles))
                except BaseException as error:
                    failed.append(error)
                    return

        readers = [threading.Thread(target=read, args=(QUESTIONS[at % len(QUESTIONS)],)) for at in range(8)]
        for reader in readers:
            reader.start()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("rag.ingest.pipeline.BATCH", 4)
                assistant.ingest([source])
        finally:
            over.set()
            for reader in readers:
                reader.join()
    assert failed == []
    assert len(answered) > 8
    assert content(tmp_path / "shelf")[1] == whole[1]
