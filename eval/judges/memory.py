"""Grades that are kept: within a run for every judge, and from run to run for one that is known by its content."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from eval.hashing import hash_values
from eval.judges.judge import Grade, Judge


class Remembering:
    """A judge that is asked the same thing once. Grades are found by the words graded and what the judge is made of."""

    def __init__(self, judge: Judge, cache_dir: Path) -> None:
        """`cache_dir`: where grades of judges that say so (`kept`) outlast the run, one line each."""
        self._judge = judge
        self.name, self.identity, self.kept = judge.name, judge.identity, judge.kept
        self._path = cache_dir / "eval" / "grades" / f"{judge.identity}.jsonl" if judge.kept else None
        self._adding = threading.Lock()
        self._grades = self._read()

    @property
    def judge(self) -> Judge:
        """The judge that is asked."""
        return self._judge

    def grade(self, claim: str, source: str) -> Grade:
        """As `Judge.grade`. That there was no grade is not remembered from run to run: it may have been an accident."""
        key = hash_values(claim, source)
        with self._adding:
            if key in self._grades:
                return self._grades[key]
        grade = self._judge.grade(claim, source)
        with self._adding:
            self._grades[key] = grade
            if self._path and grade.score is not None:
                row = [key, grade.score, grade.supported, grade.why, list(grade.orders)]
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
        return grade

    def _read(self) -> dict[str, Grade]:
        found: dict[str, Grade] = {}
        if self._path and self._path.is_file():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    key, score, supported, why, orders = json.loads(line)
                except ValueError:  # cut off
                    continue
                found[key] = Grade(score, supported, why, tuple(orders))
        return found
