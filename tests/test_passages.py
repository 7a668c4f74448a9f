"""Embeddings of the user's: LlamaIndex objects and OpenAI-compatible endpoints beside the encoder, and shelves that keep to them."""

import hashlib
import json
import re

import numpy as np
import pytest
from fakes import CRANE, MARMOT, PAPERS, Reply, ScriptedModel, embedder, open_shelf, write_jsonl
from pydantic import Field

from rag import Assistant, Settings
from rag.errors import ModelError, ShelfIncompatible, UsageError
from rag.index.passages import Beside, LlamaIndexEmbedding

QUESTION = "how much does Marmot increase recall?"
DIMENSION = 48


def hashed(text, dimension=DIMENSION):
    """A bag of words: each word adds to a place that its hash names, so texts with words in common are near."""
    vector = [0.0] * dimension
    for word in re.findall(r"\w{3,}", text.casefold()):
        vector[int(hashlib.sha256(word[:5].encode()).hexdigest(), 16) % dimension] += 1.0
    return vector if any(vector) else [1.0] * dimension


@pytest.fixture
def bag():
    core = pytest.importorskip("llama_index.core.base.embeddings.base")

    class Bag(core.BaseEmbedding):
        """Keeps what it was asked."""

        dimension: int = DIMENSION
        wrong: object = None
        texts: list = Field(default_factory=list)
        questions: list = Field(default_factory=list)

        def _get_text_embedding(self, text):
            self.texts.append(text)
            if isinstance(self.wrong, Exception):
                raise self.wrong
            return self.wrong if self.wrong is not None else hashed(text, self.dimension)

        def _get_query_embedding(self, query):
            self.questions.append(query)
            return hashed(query, self.dimension)

        async def _aget_query_embedding(self, query):
            return self._get_query_embedding(query)

    return Bag


def opened(folder, embedding, papers=PAPERS):
    assistant = Assistant.open(folder / "shelf", embedding=embedding)
    assistant.ingest([write_jsonl(folder / "papers.jsonl", (item.to_dict() for item in papers))])
    return assistant


def test_its_vectors_are_those_of_passages_and_questions(bag, tmp_path):
    mine = bag(model_name="bag-48")
    with opened(tmp_path, mine) as assistant:
        assert assistant.shelf.encoder.dimension == DIMENSION
        assert any(MARMOT.title in text and "3,200" in text for text in mine.texts)
        found = assistant.search(QUESTION, 4)
        assert QUESTION in mine.questions
        assert found[0].paper.id == MARMOT.id
        held = {passage.paper_id: vector for rows, vectors in assistant.shelf.ledger.passages(-1, 100) for (passage, _), vector in zip(rows, vectors, strict=True)}  # fmt: skip
        question = np.array(hashed(QUESTION), np.float32)
        for item in found:
            assert item.cosine == pytest.approx(held[item.paper.id] @ question / np.linalg.norm(question), abs=1e-4)


def test_answers_are_cited_and_checked_and_the_same_after_it_is_opened_again(bag, tmp_path):
    with opened(tmp_path, bag(model_name="bag-48")) as assistant:
        first = assistant.ask(QUESTION)
    assert first.status == "answered"
    assert "4.5 points" in first.text
    assert first.claims[0].verdict == "supported"
    with Assistant.open(tmp_path / "shelf", embedding=bag(model_name="bag-48")) as assistant:
        assert assistant.ask(QUESTION).text == first.text
        assert assistant.ask("what does CraneNet plan?").papers[0][0].id == CRANE.id


def test_a_shelf_keeps_to_its_embedding(bag, tmp_path):
    opened(tmp_path, bag(model_name="bag-48")).close()
    for other in (bag(model_name="bag-49"), bag(model_name="bag-48", dimension=49), None):
        with pytest.raises(ShelfIncompatible, match="was made with") as error:
            Assistant.open(tmp_path / "shelf", embedding=other)
        assert "attest export --jsonl" in error.value.hint
    assert "give the embedding Bag:bag-48 again" in refusal(tmp_path / "shelf")
    with Assistant.open(tmp_path / "shelf", embedding=bag(model_name="bag-48")) as assistant:
        assert assistant.ask(QUESTION).status == "answered"


def refusal(folder):
    with pytest.raises(ShelfIncompatible) as error:
        Assistant.open(folder)
    return error.value.hint


def test_the_encoders_own_shelf_refuses_an_embedding(bag, tmp_path):
    open_shelf(tmp_path).close()
    with pytest.raises(ShelfIncompatible, match="Bag"):
        Assistant.open(tmp_path / "shelf", embedding=bag())


@pytest.mark.parametrize(
    "wrong", [[0.0] * DIMENSION, [float("nan")] * DIMENSION, [1.0], [], OSError("the wire is cut")], ids=str
)
def test_what_are_no_vectors_is_told_and_nothing_is_lost(bag, tmp_path, wrong):
    mine = bag(model_name="bag-48")
    with opened(tmp_path, mine, PAPERS[:2]) as assistant:
        mine.wrong = wrong
        more = write_jsonl(tmp_path / "more.jsonl", (item.to_dict() for item in PAPERS))
        with pytest.raises(ModelError, match="the embedding Bag:bag-48"):
            assistant.ingest([more])
        assert assistant.search(QUESTION, 4)[0].paper.id == MARMOT.id
        mine.wrong = None
        assert assistant.ingest([more]).new == 2


def test_what_is_no_embedding(tmp_path):
    with pytest.raises(UsageError, match="a int is no embedding"):
        Assistant.open(tmp_path / "shelf", embedding=3).ingest([tmp_path])


def test_word_pieces_are_the_encoders(bag):
    own, both = embedder(), Beside(LlamaIndexEmbedding(bag()), embedder())
    texts = [["Marmot: Retrieval", "It retrieves notes."], ["Crane."]]
    plain = {row: parts for row, _, parts in own.embed_parts(texts)}
    for row, vector, parts in both.embed_parts(texts):
        assert np.linalg.norm(vector) == pytest.approx(1)
        for (ids, pieces), (others, vectors) in zip(parts, plain[row], strict=True):
            assert (ids == others).all()
            assert np.allclose(pieces, vectors)


def embeddings(order=lambda items: items):
    """A reply of an endpoint: the bags of words of what it is sent."""

    def reply(texts):
        items = [{"object": "embedding", "index": at, "embedding": hashed(text)} for at, text in enumerate(texts)]
        return Reply(body=json.dumps({"object": "list", "model": "m", "data": order(items)}))

    return reply


def endpoint(model):
    return Settings(
        embedding_model="openai:bag", openai_api_key="key", openai_base_url=model.url, llm_timeout=20.0
    )  # fmt: skip


class Endpoint(ScriptedModel):
    """The scripted server, whose replies are made of the texts it is sent."""

    @property
    def prompts(self):
        return [request["input"] for request in self.requests]


def test_an_endpoint_gives_the_vectors(tmp_path):
    with Endpoint() as model:
        # The order of the data is the server's to choose; a busy server is asked again.
        model.play(embeddings(), Reply(503, "{}"), embeddings(lambda items: items[::-1]), *[embeddings()] * 2)
        with open_shelf(tmp_path, settings=endpoint(model)) as assistant:
            answer = assistant.ask(QUESTION)
            assert "4.5 points" in answer.text
            assert assistant.shelf.encoder.name.startswith("openai:bag beside all-MiniLM-L6-v2")
        assert {(request["path"], request["model"], request["encoding_format"]) for request in model.requests} == {
            ("/v1/embeddings", "bag", "float")
        }
        assert [request["key"] for request in model.requests][:1] == ["Bearer key"]
    assert "openai:bag" in refusal(tmp_path / "shelf")


def test_an_endpoint_that_is_gone_is_told(tmp_path):
    with Endpoint() as model:
        gone = endpoint(model)
    with pytest.raises(ModelError, match="the embedding openai:bag fails"):
        Assistant.open(tmp_path / "shelf", settings=gone).ingest([tmp_path])
    with pytest.raises(ModelError, match="no key"):
        Assistant.open(tmp_path / "shelf", settings=Settings(embedding_model="openai:bag", openai_api_key=None)).ingest([tmp_path])  # fmt: skip
