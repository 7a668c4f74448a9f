"""Attest within a LlamaIndex application: its search as a retriever, its checked answers as a query engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from rag.assistant import Assistant
from rag.types import Answer, Citation, Claim, Evidence, Paper, Verdict

# What a language model or an embedding model of the application is shown beside the text.
_SHOWN = frozenset({"title", "date", "year"})
# From the worst: a citation is as good as the worst claim that rests on it.
_WORST = (Verdict.CONTRADICTED, Verdict.UNSUPPORTED, Verdict.UNCHECKED, Verdict.SUPPORTED)


class AttestRetriever(BaseRetriever):
    """The papers of a shelf for a query, best first, a node each.

    A node's text is the stored abstract. Its metadata has the paper's fields, and the sentence that fits best as `quote`
    with half-open offsets `start` and `end` into that text; `verdict` is `unchecked`, for nothing was claimed.
    """

    def __init__(
        self,
        assistant: Assistant,
        *,
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        """Search the shelf of `assistant`, which stays the caller's to close.

        Args:
            assistant: an open one.
            k: how many papers at most.
            filters: conditions on metadata, as in `Assistant.search`.
            callback_manager: that of the application.
        """
        self._assistant, self._k, self._filters = assistant, k, filters
        super().__init__(callback_manager=callback_manager)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return _nodes_of(self._assistant.search(query_bundle.query_str, self._k, self._filters))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """In a thread: a search keeps the processor busy, and the event loop stays free."""
        return await asyncio.to_thread(self._retrieve, query_bundle)


class AttestQueryEngine(BaseQueryEngine):
    """Cited and checked answers as LlamaIndex responses.

    `response.source_nodes` are the citations in order of their numbers; a node's text is the quote, `start_char_idx` and
    `end_char_idx` its half-open offsets into the paper's abstract, its metadata the paper's fields, `number`, `start`, `end`,
    the `verdict` on the claims that rest on it and its `support` in [0, 1] (of several the worst), its score that of the
    paper in the search. `response.metadata` is the whole answer as `Answer.to_dict()`; an abstention has no source nodes.
    """

    def __init__(
        self,
        assistant: Assistant,
        *,
        filters: Mapping[str, Any] | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        """Ask `assistant`, which stays the caller's to close; arguments as for `AttestRetriever`."""
        self._assistant, self._filters = assistant, filters
        super().__init__(callback_manager=callback_manager)

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    def _query(self, query_bundle: QueryBundle) -> Response:
        return to_response(self._assistant.ask(query_bundle.query_str, filters=self._filters))

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return to_response(await self._assistant.aask(query_bundle.query_str, filters=self._filters))

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """The papers that an answer would be chosen from, as an `AttestRetriever` gives them."""
        found: list[NodeWithScore] = AttestRetriever(self._assistant, filters=self._filters).retrieve(query_bundle)
        return found


def to_response(answer: Answer) -> Response:
    """An answer as LlamaIndex knows one."""
    standing = {paper.id: score for paper, score in answer.papers}
    nodes = [
        NodeWithScore(
            node=_cited(citation, [claim for claim in answer.claims if citation.number in claim.citations]),
            score=standing.get(citation.paper.id, 0.0),
        )
        for citation in answer.citations
    ]
    return Response(response=answer.text, source_nodes=nodes, metadata=answer.to_dict())


def _cited(citation: Citation, claims: Sequence[Claim]) -> TextNode:
    verdict = min((claim.verdict for claim in claims), key=_WORST.index, default=Verdict.UNCHECKED)
    said = {
        "number": citation.number,
        "verdict": verdict.value,
        "support": min((claim.score for claim in claims), default=0.0),
    }
    return _node(
        f"{citation.paper.id}:{citation.start}-{citation.end}",
        citation.quote,
        citation.paper,
        citation.start,
        citation.end,
        said,
    )


def _nodes_of(found: Iterable[Evidence]) -> list[NodeWithScore]:
    nodes = []
    for item in found:
        best = item.spans[0] if item.spans else None
        start, end = (best.start, best.end) if best else (0, 0)
        said = {"verdict": Verdict.UNCHECKED.value, "quote": item.paper.abstract[start:end]}
        node = _node(item.paper.id, item.paper.abstract, item.paper, start, end, said)
        nodes.append(NodeWithScore(node=node, score=item.score))
    return nodes


def _node(key: str, text: str, paper: Paper, start: int, end: int, said: Mapping[str, Any]) -> TextNode:
    fields = {
        "paper_id": paper.id, "title": paper.title, "authors": ", ".join(paper.authors), "date": paper.date, "year": paper.year,
        "url": paper.url, "doi": paper.doi, "arxiv_id": paper.arxiv_id, "start": start, "end": end,
    }  # fmt: skip
    metadata = {name: value for name, value in {**fields, **said}.items() if value not in (None, "")}
    whole = text == paper.abstract
    hidden = [name for name in metadata if name not in _SHOWN]
    return TextNode(
        id_=key,
        text=text,
        metadata=metadata,
        start_char_idx=0 if whole else start,
        end_char_idx=len(text) if whole else end,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=paper.id)},
    )
