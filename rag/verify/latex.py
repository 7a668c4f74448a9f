"""Paragraphs of a LaTeX draft: comments, commands and floats taken off, citations left as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rag.ingest.repair import readable
from rag.ingest.tex import ACCENT, SIGNS, accented, detexed
from rag.verify.flat import Builder, Flat
from rag.verify.markers import COMMAND as CITATION

# What they hold is no prose.
_ENVIRONMENTS = frozenset("""
    algorithm algorithmic align alignat array comment displaymath eqnarray equation figure filecontents gather listing
    longtable lstlisting math minted multline picture split subequations subfigure table tabular tabularx
    thebibliography tikzpicture verbatim Verbatim wrapfigure wraptable CCSXML
    """.split())  # fmt: skip
# Commands that go with all their arguments, and those of which the first argument is no text.
_WITH_ARGUMENTS = frozenset("""
    addbibresource affil affiliation author autoref bibliography bibliographystyle caption captionof cite cref Cref date
    DeclareMathOperator def documentclass email eqref footnotetext hspace hypersetup include includegraphics
    input institute keywords label let newcommand newenvironment nocite orcid pageref pagestyle providecommand
    ref renewcommand setcounter setlength thanks thispagestyle title titlerunning todo url usepackage vspace
    """.split())  # fmt: skip
_FIRST_ARGUMENT = frozenset({"href", "textcolor", "color", "colorbox", "fontsize", "raisebox", "hyperref"})
_HEADINGS = frozenset({"part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"})
_MACRO = re.compile(
    r"\\(?:(?:re)?newcommand\*?\s*\{?\\([A-Za-z]+)\}?|def\s*\\([A-Za-z]+))\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_TOKEN = re.compile(
    r"""
    (?P<comment>%[^\n]*(?:\n(?![ \t]*\r?\n))?)
    | \\(?P<escaped>[%&_\#${}])
    | \\(?:begin|end)\s*\{(?P<environment>[^{}\n]*)\}
    | \\verb\*?(?P<bar>[^\w\s*])(?P<verbatim>[^\n]*?)(?P=bar)
    | (?P<display>\\\[.*?\\\]|\$\$.*?\$\$)
    | (?P<math>\\\((?:(?!\n\s*\n).)*?\\\)|\$(?:(?!\n\s*\n)[^$\\]|\\.)*\$)
    | \\(?P<command>[A-Za-z@]+)\*?
    | (?P<space>\\\\\*?(?:\[[^\[\]\n]{0,20}\])?|\\[\s,;:/>-]|~) | (?P<nothing>\\[^A-Za-z]|[{}]) | (?P<quote>``|'')
    | (?P<dash>---?)
    | (?P<blank>\n[ \t]*\r?\n\s*)
    | [^\\%$~{}`'\n-]+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


def looks_like(text: str) -> bool:
    """Whether a text without a file name is LaTeX: Markdown may hold citations and formulas, but no sections."""
    return bool(
        re.search(
            r"\\documentclass\b|\\begin\{document\}|\\bibliography\{|\\addbibresource\b|^\s*\\(?:sub)*section\*?\{",
            text,
            re.MULTILINE,
        )
    )


def paragraphs(text: str, without: Sequence[tuple[int, int]] = ()) -> Iterator[Flat]:
    """Paragraphs of the document in order; headings, floats, formulas on lines of their own and footnotes are passed over.

    Args:
        text: the draft, a whole document or a part of one.
        without: half-open offsets of parts that are no prose, such as the reference list.
    """
    begin, end = re.search(r"\\begin\s*\{document\}", text), text.find(r"\end{document}")
    reader = _Reader(text, begin.end() if begin else 0, end if end >= 0 else len(text), without)
    while paragraph := reader.paragraph():
        yield paragraph


class _Reader:
    def __init__(self, text: str, start: int, stop: int, without: Sequence[tuple[int, int]]) -> None:
        self._text, self._at, self._stop = text, start, stop
        self._without = without
        self._macros = {found[1] or found[2]: found[3] for found in _MACRO.finditer(text)}
        self._closes = _closing(text)
        self._made = Builder()
        self._known: dict[str, Callable[[re.Match[str]], None]] = {
            "escaped": lambda found: self._put(found["escaped"], found),
            "bar": lambda found: self._made.keep(text, *found.span("verbatim")),
            "verbatim": lambda found: self._made.keep(text, *found.span("verbatim")),
            "display": lambda found: self._put(" ", found),
            "math": lambda found: self._put(readable(found["math"]).strip("$"), found),
            "space": lambda found: self._put(" ", found),
            "quote": lambda found: self._put('"', found),
            "dash": lambda found: self._put("—" if len(found[0]) == 3 else "–", found),
            "comment": lambda found: None,
            "nothing": lambda found: None,
            "environment": self._environment,
            "command": self._command,
        }

    def paragraph(self) -> Flat | None:
        """The next paragraph that is not blank, or None at the end."""
        while self._at < self._stop:
            ended = self._step()
            if ended and (made := self._taken()).text.strip():
                return made
        made = self._taken()
        return made if made.text.strip() else None

    def _taken(self) -> Flat:
        made, self._made = self._made.flat(), Builder()
        return made

    def _step(self) -> bool:
        """Read one token; whether a paragraph ends with it."""
        text, at = self._text, self._at
        if hidden := next((end for begin, end in self._without if begin <= at < end), None):
            self._at = hidden
            return True
        if citation := CITATION.match(text, at, self._stop):
            self._at = citation.end()
            self._made.keep(text, at, self._at)
            return False
        if accent := ACCENT.match(text, at, self._stop):
            self._at = accent.end()
            self._put(accented(accent), accent)
            return False
        found = _TOKEN.match(text, at, min([self._stop, *(begin for begin, _ in self._without if begin > at)]))
        if found is None:
            raise AssertionError("every character is a token")
        self._at = found.end()
        kind = found.lastgroup
        if kind == "blank":
            return True
        if kind is None:
            self._made.keep(text, at, self._at)
        else:
            self._known[kind](found)
        return self._parts(found)

    def _parts(self, found: re.Match[str]) -> bool:
        """Whether a paragraph ends with this command or environment."""
        environment, command = found["environment"], found["command"]
        if environment is not None:
            # A formula or float may stand within a sentence.
            return environment.rstrip("*") not in _ENVIRONMENTS
        return command in _HEADINGS or command in ("item", "par", "bibitem")

    def _put(self, said: str, found: re.Match[str]) -> None:
        self._made.put(said, *found.span())

    def _environment(self, found: re.Match[str]) -> None:
        name = found["environment"]
        if not found[0].startswith(r"\begin"):
            return
        if name.rstrip("*") not in _ENVIRONMENTS:
            self._skip_arguments("[")
            return
        self._at = self._end_of(name)
        self._made.put(" ", found.start(), self._at)

    def _end_of(self, environment: str) -> int:
        depth = 1
        edges = re.compile(rf"\\(begin|end)\s*\{{{re.escape(environment)}\}}")
        for edge in edges.finditer(self._text, self._at, self._stop):
            depth += 1 if edge[1] == "begin" else -1
            if not depth:
                return edge.end()
        return self._stop

    def _command(self, found: re.Match[str]) -> None:
        name = found["command"]
        if name in SIGNS or name in self._macros:
            said = self._macros.get(name, SIGNS.get(name, ""))
            self._at += self._text.startswith("{}", self._at) * 2
            self._put(detexed(said) if len(said) > 1 else said, found)
        elif name == "footnote":
            start = self._at
            self._skip_arguments("[{")
            # Its text is left out, but what it cites is cited by the sentence it hangs on.
            for citation in CITATION.finditer(self._text, start, self._at):
                self._made.put(f"\\cite{{{citation['keys']}}}", citation.start(), self._at)
        elif name in _WITH_ARGUMENTS or name in _HEADINGS:
            self._skip_arguments("[{\\")
        elif name in _FIRST_ARGUMENT:
            self._skip_arguments("[{", 1)
        elif name == "item":
            self._skip_arguments("[")

    def _skip_arguments(self, kinds: str, most: int = 9) -> None:
        """Move behind the bracketed arguments that stand here; a backslash in `kinds` allows for `\\newcommand\\name`."""
        text = self._text
        while most and self._at < self._stop and text[self._at] in kinds:
            if text[self._at] == "\\":
                name = re.compile(r"\\[A-Za-z]+").match(text, self._at)
                if not name or not text.startswith(("{", "["), name.end()):
                    return
                self._at = name.end()
            else:
                self._at = min(self._closes.get(self._at, self._at + 1), self._stop)
            most, kinds = most - 1, "[{"


def _closing(text: str) -> dict[int, int]:
    """For each bracket that is closed, the offset behind the one that closes it."""
    found: dict[int, int] = {}
    opened: dict[str, list[int]] = {"}": [], "]": []}
    for bracket in re.finditer(r"\\.|[{}\[\]]", text, re.DOTALL):
        sign = bracket[0]
        if sign in ("{", "["):
            opened["}" if sign == "{" else "]"].append(bracket.start())
        elif opened.get(sign):
            found[opened[sign].pop()] = bracket.end()
    return found
