"""Attest in LlamaIndex's hands: nodes with offsets and verdicts, within its own engines, and an event loop that stays free."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import CRANE, MARMOT, PAPERS, Parrot, open_shelf

pytest.importorskip("llama_index.core")

from llama_index.core.base.response.schema import Response
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RouterQueryEngine
from llama_index.core.schema import MetadataMode, QueryBundle
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import QueryEngineTool

from rag.llama import AttestQueryEngine, AttestRetriever, to_response
from rag.types import Answer, Citation, Claim, Verdict

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    with open_shelf(tmp_path_factory.mktemp("llama")) as opened:
        yield opened


def test_a_retriever_gives_papers_with_the_sentence_that_fits(assistant):
    first, *others = AttestRetriever(assistant, k=2).retrieve("how much does Marmot increase recall?")
    assert (first.node.node_id, first.metadata["title"], first.metadata["year"]) == (MARMOT.id, MARMOT.title, 2023)
    assert first.text == first.node.text == MARMOT.abstract
    said = first.metadata
    assert (
        MARMOT.abstract[said["start"] : said["end"]]
        == said["quote"]
        == "Marmot increases recall by 4.5 points over BM25."
    )
    assert said["verdict"] == "unchecked"
    assert len(others) <= 1
    assert all(other.score <= first.score for other in others)
    assert first.node.get_content(MetadataMode.LLM).count("\n") < MARMOT.abstract.count("\n") + 7
    assert "paper_id" not in first.node.get_content(MetadataMode.LLM)


def test_filters_narrow(assistant):
    assert AttestRetriever(assistant, filters={"year": {"gte": 2024}}).retrieve("Marmot") == []
    nodes = AttestRetriever(assistant, filters={"year": 2024}).retrieve("meals that simmer")
    assert [node.metadata["title"] for node in nodes] == [CRANE.title]


def test_a_query_engine_gives_citations_with_verdicts(assistant):
    response = AttestQueryEngine(assistant).query("how much does Marmot increase recall?")
    assert isinstance(response, Response)
    assert "4.5 points" in str(response)
    source = response.source_nodes[0]
    said = source.metadata
    assert MARMOT.abstract[said["start"] : said["end"]] == source.text
    assert (source.node.start_char_idx, source.node.end_char_idx) == (said["start"], said["end"])
    assert (said["number"], said["verdict"], said["paper_id"]) == (1, "supported", MARMOT.id)
    assert said["support"] > 0.5
    assert source.node.ref_doc_id == MARMOT.id
    assert response.metadata["claims"][0]["verdict"] == "supported"


def test_an_abstention_has_no_sources(assistant):
    response = AttestQueryEngine(assistant).query("quantum error correction with surface codes?")
    assert (response.source_nodes, response.metadata["status"]) == ([], "abstained")


def test_a_citation_is_as_good_as_the_worst_claim_on_it():
    citation = Citation(1, MARMOT, MARMOT.abstract[:20], 0, 20)
    claims = tuple(
        Claim("x", 0, 1, (1,), verdict, score)
        for verdict, score in ((Verdict.SUPPORTED, 0.9), (Verdict.CONTRADICTED, 0.2), (Verdict.UNSUPPORTED, 0.4))
    )
    answer = Answer("q", "answered", "x", claims=claims, citations=(citation,), papers=((MARMOT, 0.7),))
    (node,) = to_response(answer).source_nodes
    assert (node.metadata["verdict"], node.metadata["support"], node.score) == ("contradicted", 0.2, 0.7)


def test_within_engines_of_llama_index(assistant):
    from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

    class Chooser(CustomLLM):
        """Picks the first tool, as a model would say it."""

        asked: list[str] = []  # noqa: RUF012

        @property
        def metadata(self):
            return LLMMetadata()

        def complete(self, prompt, formatted=False, **kwargs):
            self.asked.append(prompt)
            return CompletionResponse(text='[{"choice": 1, "reason": "papers are asked for"}]')

        def stream_complete(self, prompt, formatted=False, **kwargs):
            raise NotImplementedError

    chooser = Chooser()
    tool = QueryEngineTool.from_defaults(AttestQueryEngine(assistant), name="papers", description="papers on my shelf")
    router = RouterQueryEngine(LLMSingleSelector.from_defaults(llm=chooser), [tool], llm=chooser)
    assert "4.5 points" in str(router.query("how much does Marmot increase recall?"))
    assert len(chooser.asked) == 1
    nodes = AttestRetriever(assistant).retrieve("meals")
    kept = SimilarityPostprocessor(similarity_cutoff=nodes[0].score).postprocess_nodes(nodes, QueryBundle("meals"))
    assert kept[0].node.node_id == CRANE.id


def test_many_at_once_while_the_event_loop_goes_on(assistant):
    async def both():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        engine, retriever = AttestQueryEngine(assistant), AttestRetriever(assistant, k=1)
        found = await asyncio.gather(
            engine.aquery("how much does Marmot increase recall?"),
            retriever.aretrieve("meals that simmer"),
            engine.aquery("what confuses biting flies?"),
        )
        ticking.cancel()
        return ticks, found

    ticks, (answer, nodes, other) = asyncio.run(both())
    assert "4.5 points" in str(answer)
    assert [node.node.node_id for node in nodes] == [CRANE.id]
    assert "stripes" in str(other)
    assert ticks > 3


def test_the_language_model_is_awaited(tmp_path):
    from rag import Assistant

    folder = tmp_path / "llm"
    folder.mkdir()
    open_shelf(folder, PAPERS).close()
    parrot = Parrot("Marmot increases recall by 4.5 points over BM25 [1].")
    with Assistant.open(folder / "shelf", llm=parrot) as assistant:
        response = asyncio.run(AttestQueryEngine(assistant).aquery("how much does Marmot increase recall?"))
    assert response.metadata["model"] == "parrot"
    assert response.source_nodes[0].metadata["verdict"] == "supported"
    assert len(parrot.asked) == 1


def test_the_example_runs(tmp_path):
    open_shelf(tmp_path).close()
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "llama_index_app.py", tmp_path / "shelf", "how much does Marmot increase recall?"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"papers: ['{MARMOT.title}'" in done.stdout
    assert "characters 105-153: supported" in done.stdout or ": supported" in done.stdout
