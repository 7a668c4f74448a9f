"""The learned view of support, as exported: what sees what, how long, and how sure it may be."""

import numpy as np
import pytest
from fakes import CRANE, MARMOT, checker
from hypothesis import given
from hypothesis import strategies as st

from rag.config import Settings
from rag.index.embed import bundled_model_dir
from rag.types import Verdict
from rag.verify import network
from rag.verify.checker import Checker
from rag.verify.network import LONGEST_CLAIM, LONGEST_SOURCE, SURE, Calibration, SupportNetwork, combined

CLAIMS = ["Marmot finds more than BM25 does.", "Marmot finds less than BM25 does.", "It was trained on labelled data."]
LOGIT = st.floats(-30, 30)


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return SupportNetwork(bundled_model_dir(), tmp_path_factory.mktemp("cache"), "fp32")


VIEWS = np.full(9, 0.5, np.float32)


def logits(network, source, claim):
    return network.logits(network.read(network.pieces(source)), network.pieces(claim), VIEWS)


def test_what_was_read_of_a_source_does_not_change_with_the_claims(exact):
    memory = exact.read(exact.pieces(MARMOT.abstract))
    first = [exact.logits(memory, exact.pieces(claim), VIEWS) for claim in CLAIMS]
    again = [exact.logits(memory, exact.pieces(claim), VIEWS) for claim in reversed(CLAIMS)]
    assert first[0].shape == (3,)
    np.testing.assert_array_equal(first, again[::-1])


def test_a_claim_sees_the_source(exact):
    one, other = (logits(exact, paper.abstract, CLAIMS[0]) for paper in (MARMOT, CRANE))
    assert np.abs(one - other).max() > 0.1


def test_what_is_too_long_is_cut(exact):
    long = exact.pieces("owl " * 2 * LONGEST_SOURCE)
    np.testing.assert_allclose(
        exact.logits(exact.read(long), long, VIEWS),
        exact.logits(exact.read(long[:LONGEST_SOURCE]), long[:LONGEST_CLAIM], VIEWS),
        atol=1e-4,
    )


def test_eight_bits_say_nearly_the_same(exact):
    small = SupportNetwork.from_settings(Settings())
    for claim in CLAIMS:
        np.testing.assert_allclose(
            logits(small, MARMOT.abstract, claim), logits(exact, MARMOT.abstract, claim), atol=1.0
        )


@given(LOGIT, LOGIT, LOGIT, LOGIT)
def test_the_network_speaks_for_a_claim_only_so_far(supported, contradicted, neither, untrained):
    logits = np.array([supported, contradicted, neither], np.float32)
    assert combined(logits, untrained) <= SURE + combined(np.array([50, 0, -50], np.float32), untrained)
    assert combined(logits, untrained) <= combined(logits, untrained + 1)
    score, share = Calibration(1.0, 0.0, 0.5).probabilities(logits, untrained)
    assert 0 <= score <= 1
    assert 0 <= share <= 1


def test_without_the_encoder_the_untrained_views_decide(monkeypatch):
    monkeypatch.setattr(network, "bundled_model_dir", lambda: None)
    assert SupportNetwork.from_settings(Settings()) is None
    plain = Checker(checker()._embedder, None)
    found = plain.check("Recall rises by 4.5 points with Marmot, compared with BM25.", MARMOT.abstract)
    assert found.verdict is Verdict.SUPPORTED
    assert plain.check(CRANE.abstract[:60], MARMOT.abstract).verdict is Verdict.UNSUPPORTED
