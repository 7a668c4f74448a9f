"""Run folders: one line a question, kept over kill -9, gone on with by content, and the same bytes for the same run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import write_jsonl

from eval.record import Record, Task
from eval.run import MANIFEST, RECORDS, TIMINGS, RunFolder, read_records, run
from rag.errors import UsageError, WriterError

ROOT = Path(__file__).parent.parent
MADE = {"fingerprint": "1", "made_with": {"code": "a", "settings": {"llm": None}}}


def silent(done, total):
    pass


class Scored:
    """A suite of numbers whose score is told once each; what it was asked is remembered, and may fail."""

    def __init__(self, numbers, failing=()):
        self.numbers, self.failing, self.asked, self.open = numbers, set(failing), [], False

    def __call__(self):
        self.open = True
        yield [
            Task("numbers", f"n{at}", number, lambda number=number: self.score(number))
            for at, number in enumerate(self.numbers)
        ]
        self.open = False

    def score(self, number):
        assert self.open  # what a batch needs is open until all of it is done
        time.sleep(0.003 * (number % 3))
        self.asked.append(number)
        if number in self.failing:
            self.failing.remove(number)
            raise WriterError(f"{number} cannot be scored")
        return Record("numbers", f"of {number}", {"square": number**2}, timings={"ms": 1.0 * number})


def scored(suite, folder, jobs=1):
    return [record.metrics.get("square") for record in run(suite(), folder, jobs, silent)]


def test_records_stand_on_the_disk_before_the_next_question_is_asked(tmp_path):
    suite = Scored([1, 2, 3])
    with RunFolder(tmp_path, MADE) as folder:
        for at, _ in enumerate(run(suite(), folder, 1, silent), 1):
            assert len((tmp_path / RECORDS).read_text().splitlines()) == at == len(suite.asked)
    assert [record.timings for record in read_records(tmp_path)] == [{"ms": 1}, {"ms": 2}, {"ms": 3}]
    assert "ms" not in (tmp_path / RECORDS).read_text()


@pytest.mark.parametrize("jobs", [1, 4])
def test_what_is_done_is_not_done_again(tmp_path, jobs):
    with RunFolder(tmp_path, MADE) as folder:
        assert scored(Scored([1, 2]), folder, jobs) == [1, 4]
    suite = Scored([3, 2, 1, 7, 8, 9, 10])
    with RunFolder(tmp_path, MADE) as folder:
        assert scored(suite, folder, jobs) == [9, 4, 1, 49, 64, 81, 100]
    assert sorted(suite.asked) == [3, 7, 8, 9, 10]
    assert len(read_records(tmp_path)) == 7


def test_a_question_goes_by_its_content_not_its_name():
    one, other = (
        Task("s", name, {"question": "q", "gold": gold}, lambda: Record("s", "")) for name, gold in (("a", 1), ("b", 1))
    )
    assert one.key == other.key
    assert Task("s", "a", {"question": "q", "gold": 2}, one.score).key != one.key
    assert Task("t", "a", one.content, one.score).key != one.key


def test_many_at_once_give_the_same_file(tmp_path):
    files = []
    for jobs in (1, 2, 7):
        with RunFolder(tmp_path / str(jobs), MADE) as folder:
            scored(Scored(range(30)), folder, jobs)
        files.append((tmp_path / str(jobs) / RECORDS).read_bytes())
    assert files[0] == files[1] == files[2]


def test_a_line_that_was_cut_off_is_made_again(tmp_path):
    with RunFolder(tmp_path, MADE) as folder:
        scored(Scored([1, 2, 3]), folder)
    whole = (tmp_path / RECORDS).read_bytes()
    for cut in (1, 20, len(whole) // 3):
        for name in (RECORDS, TIMINGS):
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-cut])
        with RunFolder(tmp_path, MADE) as folder:
            assert scored(Scored([1, 2, 3]), folder) == [1, 4, 9]
        assert (tmp_path / RECORDS).read_bytes() == whole


def test_what_failed_is_tried_once_more(tmp_path):
    suite = Scored([1, 2, 3], failing=[2])
    with RunFolder(tmp_path, MADE) as folder:
        assert scored(suite, folder) == [1, None, 9]
    assert [record.failed for record in read_records(tmp_path)] == ["", "2 cannot be scored", ""]
    with RunFolder(tmp_path, MADE) as folder:
        assert scored(suite, folder) == [1, 4, 9]
    assert suite.asked == [1, 2, 3, 2]
    assert [record.failed for record in read_records(tmp_path)] == ["", "", ""]


def test_a_mistake_of_the_program_ends_the_run_and_keeps_what_is_done(tmp_path):
    def broken():
        yield [Task("s", "a", 1, lambda: Record("s", "a", {"x": 1})), Task("s", "b", 2, lambda: 1 / 0)]

    for jobs in (1, 3):
        with RunFolder(tmp_path, MADE) as folder, pytest.raises(ZeroDivisionError):
            list(run(broken(), folder, jobs, silent))
        assert [record.id for record in read_records(tmp_path)] == ["a"]


def test_a_run_made_with_something_else_is_not_gone_on_with(tmp_path):
    with RunFolder(tmp_path, MADE) as folder:
        scored(Scored([1]), folder)
    other = {"fingerprint": "2", "made_with": {"code": "b", "settings": {"llm": "openai:m"}}}
    with pytest.raises(UsageError, match=r"made with something else: code, settings\.llm"):
        RunFolder(tmp_path, other)
    assert json.loads((tmp_path / MANIFEST).read_text()) == MADE
    with RunFolder(tmp_path, other, anew=True) as folder:
        suite = Scored([1])
        assert scored(suite, folder) == [1]
    assert suite.asked == [1]


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    with RunFolder(tmp_path, MADE), pytest.raises(UsageError, match="another run is writing"):
        RunFolder(tmp_path, MADE)
    RunFolder(tmp_path, MADE).__exit__(None, None, None)


@pytest.mark.parametrize("text", ["[1]\n", "nonsense\n", '{"suite": "s"}\n'])
def test_records_of_another_form_are_said(tmp_path, text):
    (tmp_path / RECORDS).write_text(text)
    with pytest.raises(UsageError, match=r"records\.jsonl"):
        read_records(tmp_path)


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path):
    """kill -9 in the middle of the starter questions, twice; then the same command to its end."""

    def command(out):
        return [sys.executable, "-m", "eval", "answers", "--limit", "40", "--out", str(out)]

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed, lines = tmp_path / "killed", 0
    for wanted in (3, 12):
        process = subprocess.Popen(
            command(killed), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while lines < wanted:
            assert process.poll() is None, "it was over before it could be killed"
            time.sleep(0.002)
            lines = (killed / RECORDS).read_bytes().count(b"\n") if (killed / RECORDS).exists() else 0
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = (killed / RECORDS).read_bytes()
    assert 12 <= left.count(b"\n") < 40
    assert not (killed / "summary.json").exists()
    done = subprocess.run(command(killed), env=environment, capture_output=True, text=True, check=True)
    assert "questions are done already in" in done.stderr
    subprocess.run(command(tmp_path / "whole"), env=environment, capture_output=True, check=True)
    for name in (RECORDS, "summary.json", "report.md", MANIFEST):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert (killed / RECORDS).read_bytes().startswith(left[: left.rindex(b"\n")])


def test_write_jsonl_rows_are_read(tmp_path):
    rows = [
        {"suite": "s", "id": "1", "metrics": {}, "key": "k"},
        {"suite": "s", "id": "2", "metrics": {"a": 1}, "key": "k"},
    ]
    write_jsonl(tmp_path / RECORDS, rows)
    (record,) = read_records(tmp_path)  # the last of a question counts
    assert (record.id, record.metrics) == ("2", {"a": 1})
