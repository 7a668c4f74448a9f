"""Text as a person would read it: LaTeX debris of saved pages made plain, for display and matching.

Only ever a reading of the stored text. Offsets and quotes refer to the stored abstract itself.
"""

from __future__ import annotations

import re

# Braces within braces come off one layer at a time.
LAYERS = 10

# A rule's name would lie if it matched prose ("sometimes", "10 times"), so each wants a digit, a
# backslash or a brace beside it. In order: escapes first, then commands, then what lost its backslash.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\([%&_#$])", r"\1"),
        (r"``|''", '"'),
        (r"[\u2010\u2011]", "-"),
        (r"\\url\{([^{}]*)\}", r" (\1)"),
        (
            r"\\(?:textit|textbf|texttt|textsc|textrm|text|emph|mathrm|mathbf|mathcal|mathbb|underline)\{([^{}]*)\}",
            r"\1",
        ),
        (r"\{\\(?:it|bf|tt|em|sc|rm)\s+([^{}]*)\}", r"\1"),
        (
            r"\{?\\(alpha|beta|gamma|delta|epsilon|varepsilon|lambda|mu|sigma|theta|tau|pi|eta|rho|phi|psi|omega)\b\}?",
            r"\1",
        ),
        (r"(?<=\d)(?:\s*\\times|times)\b", "×"),
        (r"(?<=\d) ?(?:\\pm|pm) ?(?=\d)", " ± "),
        (r"\\(?:rightarrow|to)\b|\brightarrow\b", "→"),
        (r"(?:\\sim|\bsim) ?(?=\d)|(?<![\w.)])~(?=\d)", "about "),
        (r"(?:\\approx|\bapprox) ?(?=\d)", "about "),
        (r"(?:\\geq?|\bgeq?) ?(?=\d)", "≥"),
        (r"(?:\\leq?|\bleq?) ?(?=\d)", "≤"),
        # In pairs only: "(from left to right)" and "(bright)" are prose.
        (r"\\?left\(((?:(?!left\().){1,300}?)\\?right\)", r"(\1)"),
        (r"\^\{([^{}]*)\}", r"^\1"),
        (r"(?<=[\w)])_\{([^{}]*)\}", r"_\1"),
        (r"\\([A-Za-z]+)", r"\1"),
        (r"\$([^$\n]{1,80})\$", r"\1"),
        (r"(?<=[\w.)])~(?=[(\w])", " "),
        (r"\^\.?(\d+\.\d+)d\)", r"^\1 d)"),
        # Sentences glued by a lost line end: "text.To make". Two lower-case letters before, a word after; no address or dotted name.
        (r"(?<!\S)([^\s./]*[a-z]{2}[.!?])(?=[A-Z][a-z]*[ ,])", r"\1 "),
        (r"\s+", " "),
    )
)


def readable(text: str) -> str:
    """`text` with LaTeX debris made plain: `75.1\\%` to `75.1%`, `11.9times` to `11.9×`, glued sentences parted."""
    for _ in range(LAYERS):
        if not _SUSPECT.search(text):
            break
        before = text
        for pattern, replacement in _RULES:
            text = pattern.sub(replacement, text)
        text = text.strip()
        if text == before:
            break
    return text


_SUSPECT = re.compile(
    r"[\\~^_${}`\n\t\u2010\u2011]|''|  |\dtimes|\dpm| pm \d|\b(?:sim|approx|geq?|leq?|rightarrow)\b|sim\d|ge\d|le\d|(?:left\(|right\))|[a-z]{2}[.!?][A-Z]"
)
