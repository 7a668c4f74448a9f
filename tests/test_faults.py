"""What happens to a shelf when its process, its disk or its clock fail: done for real, in processes of their own."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from rag.assistant import Assistant
from rag.config import Settings
from rag.index.database import SqliteDatabase
from rag.index.embed import bundled_model_dir
from rag.index.ledger import FORMAT, Ledger
from rag.index.upkeep import verify
from tests.fakes import write_jsonl
from tests.processes import PAPERS, QUESTIONS, ROOT, attest, content, copy_of, small_disk, started

KILLS = 30


# --- the process ---


def stored(folder):
    """How many papers a shelf has that another process may be writing to."""
    try:
        with sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True, timeout=5) as database:
            return database.execute("SELECT count(*) FROM papers").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_killed_at_any_moment_and_run_again_it_is_the_same_shelf(source, whole, tmp_path):
    """Each ingest is killed somewhere and the next goes on with what it left; of every few, the last is let end."""
    moments = random.Random(8)
    folder, killed, amid = tmp_path / "shelf", 0, 0
    began = time.monotonic()
    assert attest("ingest", source, "--shelf", tmp_path / "other").returncode == 0
    took = time.monotonic() - began
    for number in range(1, KILLS + 1):
        process = started("ingest", source, "--shelf", folder)
        time.sleep(moments.uniform(0.2, 1.0) * took)
        killed += process.poll() is None
        process.kill()
        process.communicate()
        amid += 0 < stored(folder) < len(PAPERS)
        if number % 3 == 0:  # soon there would be nothing left to store
            with pytest.MonkeyPatch.context() as patch, Assistant.open(folder) as assistant:
                patch.setattr("rag.ingest.pipeline.BATCH", 4)
                assistant.ingest([source])
            assert content(folder) == whole
            assert verify(folder, Settings()).stale == ()
            shutil.rmtree(folder)
    assert killed > KILLS / 2
    assert amid > 0


def test_interrupted_it_says_so_and_keeps_what_was_stored(source, whole, tmp_path):
    folder = tmp_path / "shelf"
    process = started("ingest", source, "--shelf", folder)
    while process.poll() is None and not stored(folder):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.strip() == "attest: stopped; what was stored so far is kept"
    kept = stored(folder)
    assert 0 < kept < len(PAPERS)
    with Assistant.open(folder) as assistant:
        assert len(assistant.shelf.segments) == kept
    assert attest("ingest", source, "--shelf", folder).returncode == 0
    assert content(folder) == whole


QUESTION_ROWS = [{"question": f"which paper is {row['title']}?", "titles": [row["title"]]} for row in PAPERS[:8]]
# The fifth question is under way, and stays so until something happens to the process.
AT_THE_FIFTH = """
import sys, threading
from eval import run
scored, asked = run._scored, []
def stopping(task):
    asked.append(task)
    if len(asked) == 5:
        print("the fifth", flush=True)
        threading.Event().wait(600)
    return scored(task)
run._scored = stopping
"""


@pytest.fixture(scope="module")
def evaluated(undisturbed, tmp_path_factory):
    """A file of questions, a shelf for them, and the run folder of an evaluation that nothing happened to."""
    folder = tmp_path_factory.mktemp("evaluated")
    questions = write_jsonl(folder / "mine.jsonl", QUESTION_ROWS)
    shelf = copy_of(undisturbed, folder / "shelf")
    done = attest("eval", questions, "--shelf", shelf, "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    return questions, shelf, folder / "run"


def test_an_interrupted_eval_says_so_and_goes_on_to_the_same_records(evaluated, tmp_path):
    questions, shelf, run = evaluated
    command = ("eval", questions, "--shelf", shelf, "--out", tmp_path / "run")
    process = started(*command, before=AT_THE_FIFTH)
    assert process.stdout.readline() == "the fifth\n", process.communicate()[1]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.strip().endswith("attest eval: stopped; the same command goes on from here when --out was given")
    assert "Traceback" not in said
    kept = (tmp_path / "run" / "records.jsonl").read_bytes()
    assert kept.count(b"\n") == 4
    assert not (tmp_path / "run" / "summary.json").exists()
    again = attest(*command)
    assert (again.returncode, "4 questions are done already" in again.stderr) == (0, True), again.stderr
    for name in ("records.jsonl", "summary.json"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes()


def test_a_second_process_is_told_who_has_the_shelf_and_how_to_go_on(shelf):
    with Assistant.open(shelf):
        refused = attest("search", "attention", "--shelf", shelf, env=os.environ | {"ATTEST_LOCK_WAIT": "0.1"})
    assert refused.returncode == 4
    assert f"process {os.getpid()}" in refused.stderr
    assert "attest serve" in refused.stderr
    assert attest("search", "attention", "--shelf", shelf).returncode == 0


# Kills its own process at the n-th thing that it does to files whose paths hold a word.
KILLED_AT = """
import os, signal, sys
count = 0
def watch(event, args):
    global count
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "sqlite3.connect") and {word!r} in str(args[0]):
        count += 1
        if count == {at}:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
"""
# Kills it when half of a file is out of its archive, or in it.
KILLED_AMID = """
import os, shutil, signal, zipfile
def half(source, target, *_):
    data = source.read()
    target.write(data[:len(data) // 2])
    target.flush()
    os.kill(os.getpid(), signal.SIGKILL)
zipfile.shutil.copyfileobj = half
"""
MOMENTS = [KILLED_AMID, *(KILLED_AT.format(word="copy.zip", at=at) for at in (1, 2, 4, 6))]


def test_a_backup_that_was_killed_is_made_again(shelf, whole, tmp_path):
    target, killed = tmp_path / "copy.zip", 0
    for before in MOMENTS:
        done = attest("backup", target, "--shelf", shelf, before=before)
        killed += done.returncode == -signal.SIGKILL
        if target.exists():  # only when it is whole
            assert attest("restore", target, "--shelf", tmp_path / "other").returncode == 0
            assert content(tmp_path / "other") == whole
            shutil.rmtree(tmp_path / "other")
            target.unlink()
    assert killed >= 3
    assert attest("backup", target, "--shelf", shelf).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.zip", "shelf"]
    assert content(shelf) == whole


def test_a_restore_that_was_killed_is_no_shelf_and_is_begun_again(shelf, whole, tmp_path):
    (shelf / "talks").mkdir()
    (shelf / "talks" / "one.json").write_text("[]", encoding="utf-8")
    copy, killed = tmp_path / "copy.zip", 0
    assert attest("backup", copy, "--shelf", shelf).returncode == 0
    for at, before in enumerate((KILLED_AMID, *(KILLED_AT.format(word="ledger.sqlite.part", at=at) for at in (2, 3)))):
        folder = tmp_path / f"restored-{at}"
        done = attest("restore", copy, "--shelf", folder, before=before)
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
        assert attest("search", QUESTIONS[0], "--shelf", folder).returncode == 4
        again = attest("restore", copy, "--shelf", folder)
        assert again.returncode == 0, again.stderr
        assert content(folder) == whole
        assert (folder / "talks" / "one.json").read_text(encoding="utf-8") == "[]"
    assert killed == 3


# Opens a ledger, and kills its own process before the n-th statement that SQLite runs.
STATEMENT = """
import os, signal, sqlite3, sys
from pathlib import Path
left = int(sys.argv[2])
def count(_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
connect = sqlite3.connect
def traced(*given, **more):
    database = connect(*given, **more)
    database.set_trace_callback(count)
    return database
sqlite3.connect = traced
from rag.index.database import SqliteDatabase
from rag.index.ledger import Ledger
Ledger(SqliteDatabase(Path(sys.argv[1])), {}).close()
"""


def test_an_upgrade_that_was_killed_at_any_statement_is_whole(shelf, whole, tmp_path):
    ledger = shelf / "ledger.sqlite"
    with sqlite3.connect(ledger) as database:
        for index in ("papers_changed", "papers_known_by", "papers_of"):
            database.execute(f"DROP INDEX {index}")
        database.execute("DROP TABLE gone")
        database.execute("DROP TABLE history")
        database.execute("DROP TABLE blocks")
        database.execute("ALTER TABLE papers DROP COLUMN revision")
        database.execute("UPDATE meta SET value = '3' WHERE key = 'format'")
        database.execute("DELETE FROM meta WHERE key = 'identity'")
    database.close()
    killed, upgraded = 0, 0
    for statement in [*range(3, 14), 20, 40, 60]:
        copy = Path(shutil.copy(ledger, tmp_path / "ledger.sqlite"))
        command = [sys.executable, "-c", STATEMENT, str(copy), str(statement)]
        killed += subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
        with sqlite3.connect(copy) as database:
            (told,) = database.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        database.close()
        upgraded += told == str(FORMAT)
        opened = Ledger(SqliteDatabase(copy), {})
        assert opened.faults(5) == []
        assert sorted(paper.to_dict().items() for _, paper in opened.all_papers()) == whole[0]
        assert opened.identity
        opened.close()
        for extra in ("", "-wal", "-shm"):
            Path(f"{copy}{extra}").unlink(missing_ok=True)
    assert killed >= 12
    assert 0 < upgraded < 14  # killed before it was done, and after
    assert content(shelf) == whole


# --- the disk ---

# The disk is full from a moment on: when a method is called for the n-th time.
FULL_AT = """
import importlib
def fill():
    with open({disk!r} + "/filler", "wb", buffering=0) as filler:
        for size in (65_536, 1):
            try:
                while filler.write(bytes(size)) == size: pass
            except OSError: pass
def full_at(module, name, method, nth):
    owner = getattr(importlib.import_module(module), name)
    real, calls = getattr(owner, method), []
    def filling(*given, **more):
        calls.append(1)
        if len(calls) == nth: fill()
        return real(*given, **more)
    setattr(owner, method, filling)
full_at(*{at!r})
"""


def full_at(disk, *at):
    return FULL_AT.format(disk=str(disk), at=at)


@pytest.mark.parametrize(
    "at",
    [
        ("rag.index.ledger", "Ledger", "put", 3),
        ("rag.index.vectors", "Collection", "upsert", 2),
        ("rag.index.segment_store", "SegmentStore", "_write", 1),
        ("rag.index.segment_store", "SegmentStore", "_list", 2),
    ],
)
def test_a_full_disk_is_told_and_loses_nothing(source, whole, tmp_path, at):
    with small_disk(tmp_path / "disk", 24) as disk:
        folder = disk / "shelf"
        full = attest("ingest", source, "--shelf", folder, before=full_at(disk, *at))
        assert full.returncode == 4, full.stderr
        assert "Traceback" not in full.stderr
        assert "is the disk full" in full.stderr
        there = stored(folder)
        assert 0 < there <= len(PAPERS)
        (disk / "filler").unlink()
        assert stored(folder) == there
        assert attest("ingest", source, "--shelf", folder).returncode == 0
        assert content(folder) == whole
        assert verify(folder, Settings()).stale == ()


@pytest.mark.parametrize("at", [("rag.index.ledger", "Ledger", "copy", 1), ("zipfile", "ZipFile", "write", 1)])
def test_a_full_disk_leaves_no_half_of_a_backup(shelf, tmp_path, at):
    with small_disk(tmp_path / "disk", 8) as disk:
        target = disk / "copy.zip"
        full = attest("backup", target, "--shelf", shelf, before=full_at(disk, *at))
        assert full.returncode == 4, full.stderr
        assert f"{target} cannot be written" in full.stderr
        assert "is the disk full" in full.stderr
        assert [path.name for path in disk.iterdir()] == ["filler"]
        (disk / "filler").unlink()
        assert attest("backup", target, "--shelf", shelf).returncode == 0


def test_a_full_disk_leaves_no_half_of_a_restored_shelf(shelf, whole, tmp_path):
    assert attest("backup", tmp_path / "copy.zip", "--shelf", shelf).returncode == 0
    with small_disk(tmp_path / "disk", 24) as disk:
        command = ("restore", tmp_path / "copy.zip", "--shelf", disk / "shelf")
        full = attest(*command, before=full_at(disk, "zipfile", "ZipFile", "open", 1))
        assert full.returncode == 4, full.stderr
        assert "is the disk full" in full.stderr
        assert "no whole backup" not in full.stderr
        assert not (disk / "shelf").exists()
        (disk / "filler").unlink()
        assert attest(*command).returncode == 0
        assert content(disk / "shelf") == whole


def test_an_export_onto_a_full_disk_fails(shelf, tmp_path):
    """A file that the shell made cannot be taken back, but it must not pass for whole: the exit code tells."""
    with Path("/dev/full").open("w") as nowhere:
        full = attest("export", "--shelf", shelf, stdout=nowhere)
    assert full.returncode == 1
    assert "No space left" in full.stderr
    assert "Traceback" not in full.stderr
    assert "Exception ignored" not in full.stderr


def test_an_eval_onto_a_full_disk_goes_on_to_the_same_records(evaluated, tmp_path):
    questions, shelf, run = evaluated
    with small_disk(tmp_path / "disk", 4) as disk:
        command = ("eval", questions, "--shelf", shelf, "--out", disk / "run")
        full = attest(*command, before=full_at(disk, "eval.run", "RunFolder", "add", 4))
        assert full.returncode == 1, full.stderr
        assert "No space left" in full.stderr
        assert "goes on from here once there is room" in full.stderr
        assert "Traceback" not in full.stderr
        assert not (disk / "run" / "summary.json").exists()
        (disk / "filler").unlink()
        assert attest(*command).returncode == 0
        for name in ("records.jsonl", "summary.json"):
            assert (disk / "run" / name).read_bytes() == (run / name).read_bytes()


# --- another user ---


# Root loads everything, for nobody may not read the program itself.
LOADED = """
import json, os, shutil, subprocess, sys
from pathlib import Path
from rag.cli import main
folder, commands = Path(sys.argv[1]), json.loads(sys.argv[2])
shutil.rmtree(folder / "loading", ignore_errors=True)  # a shelf that has them already would not open Chroma
for command in (["ingest", str(folder / "few.jsonl")], ["ask", "prompting"]):
    main([*command, "--shelf", str(folder / "loading")])
for path in (folder / "cache").rglob("*"):
    path.chmod(0o777)
os.setgid(65534), os.setuid(65534), os.chdir("/")
for command in commands:
    print("---", flush=True), print("---", file=sys.stderr, flush=True)
    code = subprocess.run(command[1:]).returncode if command[0] == "$" else main(command)
    print(code, flush=True)
"""


MODEL = "all-MiniLM-L6-v2"  # a shelf asks for a model of this name


@pytest.fixture
def common():
    """A folder that everybody may look into, as none of pytest's is."""
    if os.geteuid() != 0:
        pytest.skip("needs another user to be refused: root ignores modes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        shutil.copytree(bundled_model_dir(), folder / MODEL)  # that of the program may be closed to others
        write_jsonl(folder / "few.jsonl", PAPERS[:2])
        yield folder


def as_nobody(folder, *commands):
    """For each command, given as its words ("$" before those of another program), its exit code and what it said."""
    environment = {
        **os.environ,
        "ATTEST_CACHE_DIR": str(folder / "cache"),
        "ATTEST_EMBEDDING_MODEL": str(folder / MODEL),
        "HOME": str(folder),
    }
    words = json.dumps([[str(word) for word in command] for command in commands])
    command = [sys.executable, "-c", LOADED, str(folder), words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    said = zip(done.stdout.split("---\n")[1:], done.stderr.split("---\n")[1:], strict=True)
    return [(int(out.split()[-1]), errors) for out, errors in said]


def test_no_shelf_can_be_made_where_another_user_may_not_write(common):
    (common / "read-only").mkdir(mode=0o755)
    (common / "closed").mkdir(mode=0o700)
    given = ("ingest", common / "few.jsonl", "--shelf")
    (refused, said), (unread, why) = as_nobody(
        common, (*given, common / "read-only" / "shelf"), (*given, common / "closed" / "shelf")
    )
    assert (refused, unread) == (4, 1)
    assert f"no shelf can be made at {common / 'read-only'}" in said
    assert "--shelf" in said
    assert "may you read" in why
    assert "Traceback" not in said + why


def test_a_shelf_that_another_user_may_only_read_is_used_as_a_copy(common, undisturbed, whole, source):
    """The copy is what the message says, and it works: for questions, and for more papers."""
    shelf, mine = copy_of(undisturbed, common / "shelf"), common / "mine"
    shelf.chmod(0o755)
    shutil.copy(source, common / "all.jsonl")
    uses = (
        ("search", QUESTIONS[0], "--shelf"),
        ("ask", QUESTIONS[0], "--shelf"),
        ("ingest", common / "all.jsonl", "--shelf"),
    )
    refused = as_nobody(common, *((*use, shelf) for use in uses))
    for code, said in refused:
        assert code == 4, said
        assert f"{shelf} cannot be locked" in said
        assert "Traceback" not in said
    remedy = re.search(r"(cp -r \S+) MINE && ", refused[0][1])[1].split()
    copied = as_nobody(common, ("$", *remedy, mine), *((*use, mine) for use in uses))
    assert [code for code, _ in copied] == [0, 0, 0, 0], copied
    assert content(mine)[1:] == whole[1:]  # the papers now stand in another file, too
    assert content(shelf) == whole


# --- another model, or a newer version ---


def test_a_shelf_of_another_model_is_refused_with_commands_that_help(tmp_path):
    """Both ways out, as they stand in the message."""
    few = write_jsonl(tmp_path / "few.jsonl", PAPERS[:2])
    folder = tmp_path / "shelf"
    assert attest("ingest", few, "--shelf", folder).returncode == 0
    exact = os.environ | {"ATTEST_EMBEDDING_PRECISION": "fp32"}
    refused = attest("search", "prompting", "--shelf", folder, env=exact)
    assert refused.returncode == 4
    assert "was made with model 'all-MiniLM-L6-v2/int8'" in refused.stderr
    name, value = re.search(r"set (ATTEST_\w+)=(\w+)", refused.stderr).groups()
    assert attest("search", "prompting", "--shelf", folder, env=exact | {name: value}).returncode == 0
    commands = re.search(r"(attest export .*NEW_FOLDER)", refused.stderr)[1]
    program = f'attest() {{ "{sys.executable}" -m rag "$@"; }}; set -e; '
    moved = subprocess.run(
        ["bash", "-c", program + commands], cwd=tmp_path, env=exact | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert moved.returncode == 0, moved.stderr
    found = attest("search", "prompting", "--shelf", tmp_path / "NEW_FOLDER", env=exact)
    assert found.returncode == 0, found.stderr
    assert "2 read: 2 new" in moved.stdout


def test_a_newer_shelf_is_refused_with_what_to_do(shelf):
    with sqlite3.connect(shelf / "ledger.sqlite") as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    refused = attest("search", "attention", "--shelf", shelf)
    assert refused.returncode == 4
    assert "upgrade attest" in refused.stderr


# --- the clock ---

# All that asks the C library for the time of day is told another: Python, SQLite and Chroma's core.
SHIFTED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { const char *by = getenv("SHIFT"); return by ? atol(by) : 0; }
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += shift();
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int failed = real(now, zone);
    now->tv_sec += shift();
    return failed;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""
YEAR = 365 * 24 * 3600


@pytest.fixture(scope="module")
def years(tmp_path_factory):
    """The environment of a process whose clock is so many years ahead (or, below 0, behind)."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler to shift the clock")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "shifted.c").write_text(SHIFTED, encoding="utf-8")
    library = folder / "shifted.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "shifted.c", "-ldl"], check=True)
    return lambda number: os.environ | {"LD_PRELOAD": str(library), "SHIFT": str(number * YEAR)}


def year_of(environment):
    command = [sys.executable, "-c", "import datetime; print(datetime.date.today().year)"]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def test_a_clock_that_jumps_between_and_amid_ingests_changes_nothing(source, whole, years, tmp_path):
    assert year_of(years(10)) - year_of(years(-10)) == 20  # the clock really is another
    folder = tmp_path / "shelf"
    shutil.copy(source, tmp_path / "all")
    process = started("ingest", source, "--shelf", folder, env=years(10))
    while process.poll() is None and not stored(folder):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert 0 < stored(folder) < len(PAPERS)
    for path in folder.rglob("*"):
        os.utime(path, (4 * 10**9, 4 * 10**9))  # in the next century
    jumps = "import itertools, time; real = time.time; step = itertools.count(); time.time = lambda: real() + (-1) ** next(step) * 10**8"
    done = attest("ingest", source, "--shelf", folder, env=years(-10), before=jumps)
    assert done.returncode == 0, done.stderr
    assert content(folder) == whole
    assert verify(folder, Settings()).stale == ()


def test_a_watch_tells_what_is_new_whatever_the_clock_says(years, tmp_path):
    """Each paper in one digest and one alone, though the second run is years before the first."""
    folder, source = tmp_path / "shelf", tmp_path / "watched.jsonl"
    write_jsonl(source, PAPERS[:3])
    assert attest("watch", "add", source, "--shelf", folder).returncode == 0
    for shift, upto in ((5, 3), (-5, 6), (0, 8)):
        write_jsonl(source, PAPERS[:upto])
        done = attest("watch", "run", "--shelf", folder, env=years(shift))
        assert done.returncode == 0, done.stderr
    assert attest("watch", "run", "--shelf", folder, env=years(-9)).returncode == 3  # nothing is new
    digests = [path.read_text(encoding="utf-8") for path in (folder / "digests").iterdir()]
    assert len(digests) == 3
    assert [sum(row["id"] in text for text in digests) for row in PAPERS[:8]] == [1] * 8


# --- readers ---


def test_readers_during_writes_see_whole_papers(tmp_path, source, whole):
    """Every paper they get is whole, with the metadata and the words that the undisturbed shelf has of it."""
    known = {dict(items)["id"]: dict(items) for items in whole[0]}
    failed, answered = [], []
    text = source.read_text(encoding="utf-8")
    with Assistant.open(tmp_path / "shelf") as assistant, pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag.ingest.pipeline.BATCH", 4)
        source.write_text("".join(text.splitlines(keepends=True)[:8]), encoding="utf-8")
        try:
            assistant.ingest([source])
        finally:
            source.write_text(text, encoding="utf-8")
        over = threading.Event()

        def read(question: str) -> None:
            while not over.is_set():
                try:
                    found = assistant.search(question)
                    assert found
                    for item in found:
                        assert item.paper.to_dict() == known[item.paper.id]
                        assert item.spans
                        assert all(0 <= one.start < one.end <= len(item.paper.abstract) for one in item.spans)
                    answered.append(len(found))
                except BaseException as error:
                    failed.append(error)
                    return

        readers = [threading.Thread(target=read, args=(QUESTIONS[at % len(QUESTIONS)],)) for at in range(8)]
        for reader in readers:
            reader.start()
        try:
            assistant.ingest([source])
        finally:
            over.set()
            for reader in readers:
                reader.join()
    assert failed == []
    assert len(answered) > 8
    assert content(tmp_path / "shelf") == whole
    assert verify(tmp_path / "shelf", Settings()).stale == ()
