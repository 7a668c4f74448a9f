"""Words that ask for papers and say nothing about them."""

from __future__ import annotations

import re

from rag.index.lexical import STOPWORDS, words

SCAFFOLD = STOPWORDS | frozenset(
    """
    abstract abstracts another anything anyone anybody article articles available came carried carry carries come comes concern
    concerning count cover covers date dated dates deal deals dealing describe described discuss discusses drawn drew else entries entry every everything
    exist exists find found get gets give got here hi hello hold holding interested kind know list listed lists look looking many
    may much mention mentions need new recent number one ones paper papers please present organisation organization publication
    publications published put read reading received relevant remain remaining remains research say says said see shelf show something stuff study
    studies tell there thing things thanks topic want way work works written
    """.split()
)  # fmt: skip


def is_content(word: str) -> bool:
    """Whether a word says what a question is about."""
    return re.sub(r"['’](?:s|re|m|ve|d|ll)$", "", word.casefold()) not in SCAFFOLD


def content_words(text: str) -> list[str]:
    """The words of a question that say what it is about."""
    return [word for word in words(text) if is_content(word)]
