"""README says what is: its transcript and table are current, its commands exist, its Python runs."""

import re
from pathlib import Path

from eval.readme import README as PAGE
from eval.readme import renewed

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_transcript_and_table_are_current():
    assert renewed(PAGE) == README, "run: make results"


def test_commands_exist():
    import shlex

    from eval.__main__ import _parser as evaluation
    from eval.commands import COMMANDS
    from eval.suites import SUITES
    from rag.cli import _parser

    parser = _parser()
    for line in re.findall(r"^    attest ([^#\n]+)", README, re.MULTILINE):
        words = shlex.split(line)
        if words[0] != "eval":
            parser.parse_args(words)
        elif words[1] not in COMMANDS:
            suites = evaluation().parse_args(words[1:]).suites
            assert all(name in SUITES or name.endswith(".jsonl") for name in suites), line
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^    )make (\w+)", README, re.MULTILINE)) <= targets


def test_python_runs(tmp_path, monkeypatch, capsys):
    import shutil

    (tmp_path / "eval" / "datasets").mkdir(parents=True)
    shutil.copy(ROOT / "eval" / "datasets" / "papers.jsonl", tmp_path / "eval" / "datasets")
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})
    assert "A Systematic Analysis of Hybrid Linear Attention" in capsys.readouterr().out
