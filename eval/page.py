"""`report.html`: one file that asks nothing of the network, with plots and a page for each question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from eval import plots, report
from eval.record import Record
from eval.report import Report
from eval.summary import Figure

TEMPLATES = Path(__file__).parent / "templates"
# Of a suite with more questions, those that went worst have pages.
MOST_PAGES = 400
SEVERAL = 3
COUNTED = frozenset(
    "citation_validity citations_located claims_supported uncited_rate numbers_held quotes_held".split()
)
GROUPS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("Refusals", lambda name: name.startswith(("refusal_", "abstained", "false_abstention"))),
    ("Citations, as the judge sees them", lambda name: name in report.CITATIONS),
    ("Citations, as anybody can count them", lambda name: name in COUNTED),
    ("Guards", lambda name: name in report.GUARDS),
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with what it shows."""

    title: str
    svg: Markup
    note: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A paper as it is shown: whether it was cited, whether it is gold, and its abstract with marks."""

    title: str
    cited: bool
    gold: bool
    text: Markup


@dataclass(frozen=True, slots=True)
class Page:
    """A question's page: the record, where it stands among the others, and its papers."""

    record: Record
    anchor: str
    before: str
    after: str
    score: float | None
    sources: tuple[Source, ...]
    flips: tuple[str, ...]


def html(run: Report) -> str:
    """The page; the same bytes for the same run folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )  # fmt: skip
    environment.filters["number"] = report.number
    shown = pages(run)
    return environment.get_template("report.html").render(
        run=run,
        groups=grouped(run.figures),
        headline=_headline(run.figures),
        plots=drawn(run),
        pages=shown,
        anchors={page.record.id: page.anchor for page in shown},
        left_out=len(run.records) - len(shown),
        interval=report.interval,
        skipped=report.skipped,
        kinds=dict(Counter(_kind(page.record) for page in shown)),
        kind=_kind,
        marked=marked_answer,
        others=others,
    )


def grouped(figures: Mapping[str, Figure]) -> dict[str, dict[str, Figure]]:
    """Figures under headings; the rest under what several of them begin with, or "Questions"."""
    found: dict[str, dict[str, Figure]] = {}
    several = Counter(name.rpartition("/")[0] for name in figures)
    for name, figure in figures.items():
        prefix, _, bare = name.rpartition("/")
        heading = next((title for title, belongs in GROUPS if belongs(bare)), prefix)
        heading = heading if prefix != heading or several[prefix] >= SEVERAL else "Questions"
        found.setdefault(heading, {})[name] = figure
    order = ["Questions", *(title for title, _ in GROUPS)]
    return dict(sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def _headline(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    wanted = ("correctness", "faithfulness", "citation_f1", "refusal_f1", "false_abstention", "copy_rate")
    return {name: figures[name] for name in wanted if name in figures}


def drawn(run: Report) -> list[Plot]:
    """The plots for which the run has figures."""
    other = {item.metric: item.theirs for item in run.comparison.differences} if run.comparison else None
    found = [
        Plot(
            heading,
            Markup(plots.bars(group, other)),
            "Bar: mean. Line: 95 % interval." + " Ring: the other run." * bool(other),
        )
        for heading, group in grouped(run.figures).items()
        if any(0 <= figure.mean <= 1 for figure in group.values())
    ]
    return [*found, *_abstention(run.records), *_scores(run.records), *_latency(run.records)]


def _abstention(records: Sequence[Record]) -> list[Plot]:
    asked = [record for record in records if "likelihood" in record.detail and not record.failed]
    answerable = [int("false_abstention" in record.metrics) for record in asked]
    if len(set(answerable)) < 2:
        return []
    sure = [record.detail["likelihood"] for record in asked]
    # Of a question that the shelf does not answer every answer is wrong.
    correct = [record.metrics.get("correctness", 0.0) for record in asked]
    given = [right for right, record in zip(correct, asked, strict=True) if record.detail["status"] == "answered"]
    now = (len(given) / len(asked), 1 - sum(given) / len(given)) if given else None
    sides = {
        name: [value for value, can in zip(sure, answerable, strict=True) if can == wanted]
        for name, wanted in (("answerable", 1), ("unanswerable", 0))
    }
    label = "estimated probability that the shelf answers"
    return [
        Plot("When to abstain: precision and recall", Markup(plots.abstention(answerable, sure)), f"By the {label}."),
        Plot("When to abstain: risk and coverage", Markup(plots.risk(correct, sure, now)),
             "Risk is 1 - correctness, and 1 for an answer to an unanswerable question."),
        Plot("How sure it was", Markup(plots.histogram(sides, label))),
    ]  # fmt: skip


def _scores(records: Sequence[Record]) -> list[Plot]:
    sets: dict[str, tuple[list[int], list[float]]] = {}
    for record in records:
        if "label" in record.detail and record.detail["score"] is not None:
            labels, scores = sets.setdefault(record.detail["set"], ([], []))
            labels.append(record.detail["label"])
            scores.append(record.detail["score"])
    found = []
    if sets:
        found.append(Plot("Reliability of the judge", Markup(plots.calibration(sets)),
                          "On the dotted line a score is the share of such claims that people call supported."))  # fmt: skip
        for name, (labels, scores) in sets.items():
            sides = {
                side: [score for score, label in zip(scores, labels, strict=True) if label == wanted]
                for side, wanted in (("supported", 1), ("not supported", 0))
            }
            found.append(Plot(f"Scores of the judge: {name}", Markup(plots.histogram(sides, "score"))))
    verdicts = [item for record in records for item in record.detail.get("verdicts", ()) if item["score"] is not None]
    if verdicts:
        by_verdict = {
            name: [item["score"] for item in verdicts if item["supported"] is wanted]
            for name, wanted in (("supported", True), ("not supported", False))
        }
        found.append(Plot("Scores of the statements", Markup(plots.histogram(by_verdict, "the judge's score"))))
    return found


def _latency(records: Sequence[Record]) -> list[Plot]:
    times: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.timings.items():
            times.setdefault(name.removesuffix("_ms"), []).append(value)
    return (
        [Plot("Time", Markup(plots.latency(times)), "Black: median. Red: 95th percentile.", wide=True)] if times else []
    )


def pages(run: Report) -> list[Page]:
    """A page for each question, in order; of a suite with too many, for those that went worst."""
    flips: dict[str, list[str]] = {}
    for item in run.comparison.differences if run.comparison else ():
        for sign, ids in (("+", item.gained), ("−", item.lost)):
            for key in ids:
                flips.setdefault(key, []).append(f"{sign} {item.metric}")
    kept = {id(record) for suite in {record.suite for record in run.records} for record in _worst(run.records, suite)}
    chosen = [record for record in run.records if id(record) in kept]
    anchors = [f"q-{record.key or number}" for number, record in enumerate(chosen)]
    return [
        Page(record, anchors[at], anchors[at - 1], anchors[(at + 1) % len(anchors)], _score(record), _sources(record),
             tuple(flips.get(record.id, ())))
        for at, record in enumerate(chosen)
    ]  # fmt: skip


def _worst(records: Sequence[Record], suite: str) -> list[Record]:
    own = [record for record in records if record.suite == suite]
    return sorted(own, key=lambda record: -1 if (score := _score(record)) is None else score)[:MOST_PAGES]


def _score(record: Record) -> float | None:
    """The one figure a question is sorted by: correctness, a due refusal, or the mean of what it has."""
    for name in ("correctness", "abstained"):
        if name in record.metrics:
            return record.metrics[name]
    held = [value for value in record.metrics.values() if 0 <= value <= 1]
    return sum(held) / len(held) if held else None


def _kind(record: Record) -> str:
    return str(record.detail.get("kind") or record.detail.get("set") or record.suite)


def _sources(record: Record) -> tuple[Source, ...]:
    detail = record.detail
    cited: dict[str, list[tuple[int, int]]] = {}
    for citation in detail.get("citations", ()):
        cited.setdefault(citation["paper"]["id"], []).append((citation["start"], citation["end"]))
    gold: dict[str, list[tuple[int, int]]] = {key: [] for key in detail.get("gold", ()) if isinstance(key, str)}
    texts: Mapping[str, str] = detail.get("sources", {})
    for item in detail.get("evidence", ()):
        at = texts.get(item["paper"], "").find(item["quote"])
        if at >= 0:
            gold.setdefault(item["paper"], []).append((at, at + len(item["quote"])))
    titles = detail.get("titles", {})
    return tuple(
        Source(titles.get(key, key), key in cited, key in gold, marked(texts.get(key, ""), cited.get(key, ()), gold.get(key, ())))
        for key in dict.fromkeys([*cited, *gold])
    )  # fmt: skip


def marked(text: str, cited: Iterable[tuple[int, int]], gold: Iterable[tuple[int, int]]) -> Markup:
    """The text, escaped, what was quoted in <mark> and what the gold evidence is in <u>; both may overlap."""
    layers = [(list(cited), "mark"), (list(gold), "u")]
    cuts = sorted({0, len(text), *(end for spans, _ in layers for span in spans for end in span)})
    parts = []
    for start, end in pairwise(cut for cut in cuts if 0 <= cut <= len(text)):
        piece = escape(text[start:end])
        for spans, tag in layers:
            if any(first <= start and end <= last for first, last in spans):
                piece = Markup(f"<{tag}>{piece}</{tag}>")
        parts.append(piece)
    return Markup("").join(parts)


def marked_answer(detail: Mapping[str, Any]) -> Markup:
    """The answer's text, escaped, each statement coloured by the product's verdict."""
    text, at, parts = str(detail["text"]), 0, []
    for claim in sorted(detail.get("claims", ()), key=lambda claim: int(claim["start"])):
        start, end = max(int(claim["start"]), at), int(claim["end"])
        if end > start:
            said = Markup('<span class="{}" title="{} {}">{}</span>').format(
                claim["verdict"], claim["verdict"], claim["score"], text[start:end]
            )
            parts += [escape(text[at:start]), said]
            at = end
    lines = Markup("").join([*parts, escape(text[at:])]).split("\n")
    return Markup("\n").join(Markup(f"<code>{line}</code>") if line.startswith("| ") else line for line in lines)


_SHOWN = frozenset(
    """
    kind question query claim set history gold expected evidence found status reason text writer prompt_hash citations claims
    sources titles verdicts likelihood
    """.split()
)


def others(record: Record) -> dict[str, Any]:
    """What a record tells that has no place of its own on its page."""
    known = _SHOWN | {"model"} if "writer" in record.detail else _SHOWN
    return {name: value for name, value in record.detail.items() if name not in known}
