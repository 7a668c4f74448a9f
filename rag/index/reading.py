"""How an abstract reads, worked out once when it is stored: its sentences, the parts they play, and their stems.

Split, repaired and stemmed again for every question, ten abstracts took 12 ms of the 43 of a search (`eval/LOG.md`).
"""

from __future__ import annotations

import re

from rag.index.lexical import terms
from rag.ingest.repair import readable
from rag.ingest.roles import roles
from rag.ingest.sentences import split_sentences
from rag.types import Sentence

_FIGURE = re.compile(r"\d")


def read_abstract(abstract: str) -> list[Sentence]:
    """The sentences of an abstract, in order."""
    places = split_sentences(abstract)
    texts = [readable(abstract[start:end]) for start, end in places]
    return [
        Sentence(start, end, part, len(text.split()), bool(_FIGURE.search(text)), tuple(terms(text)))
        for (start, end), text, part in zip(places, texts, roles(texts), strict=True)
    ]
