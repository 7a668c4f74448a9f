"""LaTeX's ways to write letters and signs, as the characters they stand for."""

from __future__ import annotations

import re
import unicodedata

from rag.ingest.repair import readable

_COMBINING = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
}  # fmt: skip
# Commands that are a letter or sign.
SIGNS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å",
    "i": "i", "j": "j", "ldots": "…", "dots": "…", "textellipsis": "…", "textendash": "–", "textemdash": "—",
    "textquoteright": "’", "textquoteleft": "‘", "textasciitilde": "~", "textbackslash": "\\", "textunderscore": "_",
    "textbraceleft": "{", "textbraceright": "}", "textasciicircum": "^", "textpercent": "%", "times": "×",
    "S": "§", "copyright": "©", "quad": " ", "qquad": " ", "space": " ", "xspace": "",
    "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX", "pm": "±", "etal": "et al.", "eg": "e.g.", "ie": "i.e.",
}  # fmt: skip
ACCENT = re.compile(
    r"""\\(?:([`'^"~=.])\s*|([uvHcdkr])(?:\s+(?=\\?[A-Za-z])|(?=\{)))(?:\{\s*\\?([A-Za-z])\s*\}|\\?([A-Za-z]))"""
)
_STYLE = re.compile(r"\\(?:text[a-z]{2}|emph|math[a-z]{2,4}|mbox|underline)\s*(?=\{)")
_SIGN = re.compile(r"\\([A-Za-z]+)(?:\{\}|\s+|(?![A-Za-z]))")


def accented(found: re.Match[str]) -> str:
    """The letter that a match of `ACCENT` stands for."""
    return unicodedata.normalize("NFC", (found[3] or found[4]) + _COMBINING[found[1] or found[2]])


def lettered(text: str) -> str:
    r"""A text with accents as letters and all other LaTeX as it is: `Schr\"odinger's $\alpha$` to `Schrödinger's $\alpha$`."""
    return ACCENT.sub(accented, text)


# Braces that are said, not meant; kept apart while those that are meant fall out.
_BRACE = re.compile(r"\\textbrace(left|right)(?:\{\}|\b\s*)")
_KEPT = {"left": "\ue000", "right": "\ue001"}
_BRACES = str.maketrans({"\ue000": "{", "\ue001": "}"})


def detexed(text: str) -> str:
    r"""A BibTeX value or other short piece of LaTeX as a person would read it: `{\"U}ber {LLM}s` to `Über LLMs`."""
    said = _BRACE.sub(lambda found: _KEPT[found[1]], text)
    said = lettered(_STYLE.sub("", said))
    said = _SIGN.sub(lambda found: SIGNS.get(found[1], found[0]), said)
    said = readable(said.replace("~", " ")).replace("---", "—").replace("--", "–")
    said = re.sub(r"[{}]", "", said).translate(_BRACES)
    return " ".join(said.split())
