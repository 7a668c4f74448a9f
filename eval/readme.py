"""What is generated in the documentation: `python -m eval.readme` (`--check` only compares).

README's transcript and results, made from a real run, its comparison with other systems, the settings in docs/settings.md and
the measures of growth in docs/SCALE.md.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from eval.bench import growth, side_by_side
from eval.cases import DATASETS
from eval.judges import agreement
from eval.judges.checker import NAME
from eval.summary import Figure
from rag import render
from rag.assistant import Assistant
from rag.config import Settings, described

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SETTINGS = ROOT / "docs" / "settings.md"
SUMMARY = ROOT / "eval" / "results" / "summary.json"
SCALE = ROOT / "docs" / "SCALE.md"
GROWTH = ROOT / "eval" / "results" / "growth.json"
SIDE_BY_SIDE = ROOT / "eval" / "results" / "side_by_side.json"
QUESTION = "which papers compare hybrid linear attention ratios?"
ROWS = {
    "list_f1": "list questions: F1 of the papers",
    "fact_first": "fact questions: the right paper first",
    "fact_answer": "fact questions: the expected words stand in the answer",
    "compare_papers": "comparisons: every side, and at most one paper more",
    "metadata_exact": "metadata questions: exactly the right papers",
    "followup_papers": "follow-up questions: the right papers among the answer's",
    "abstained": "unanswerable questions: says so",
    "false_abstention": "answerable questions: wrongly says that the shelf does not say",
    "citations_located": "citations: the quote stands verbatim at its offsets",
    "citation_f1": "citations: F1 of those that are needed and enough, says the support checker",
    "copy_rate": "words copied from the papers: who copies is cited perfectly",
}


def transcript() -> str:
    """What `make demo` prints for the question."""
    with tempfile.TemporaryDirectory() as folder, Assistant.open(folder) as assistant:
        assistant.ingest([DATASETS / "papers.jsonl"])
        answer = assistant.ask(QUESTION)
    return f'```\n$ attest ask "{QUESTION}"\n\n{render.to_terminal(answer)}\n```'


def results() -> str:
    """The table of the committed run."""
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    lines = ["| | mean | 95 % interval | questions |", "|---|---|---|---|"]
    for name, text in ROWS.items():
        figure = Figure.from_row(summary[name])
        lines.append(f"| {text} | {figure.mean:.2f} | {figure.low:.2f} to {figure.high:.2f} | {figure.n} |")
    card = agreement.find(NAME)
    return "\n".join([*lines, "", f"The support checker beside people: {card}."] if card else lines)


def settings_table() -> str:
    """Every setting: name, environment variables, default, meaning."""
    lines = ["| setting | environment variable | default | meaning |", "|---|---|---|---|"]
    for one in described(Settings.model_construct()):
        variables = " or ".join(f"`{name}`" for name in one.variables)
        lines.append(f"| `{one.name}` | {variables} | {one.default} | {one.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def peers() -> str:
    """The table of the committed comparison with other systems."""
    return side_by_side.table(json.loads(SIDE_BY_SIDE.read_text(encoding="utf-8")))


def grown() -> str:
    """The table of the committed measures of growth."""
    return growth.table(json.loads(GROWTH.read_text(encoding="utf-8")))


BLOCKS = {
    README: {"transcript": transcript, "results": results, "side by side": peers},
    SETTINGS: {"settings": settings_table},
    SCALE: {"growth": grown},
}


def renewed(path: Path) -> str:
    """A page with its generated blocks as they are now."""
    text = path.read_text(encoding="utf-8")
    for name, block in BLOCKS[path].items():
        head, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- /{name} -->")
        text = f"{head}{start}{block()}\n{end}{tail}"
    return text


def main() -> int:
    """Rewrite the pages, or with `--check` exit 1 when one is stale."""
    new = {path: renewed(path) for path in BLOCKS}
    if "--check" in sys.argv[1:]:
        return int(any(text != path.read_text(encoding="utf-8") for path, text in new.items()))
    for path, text in new.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
