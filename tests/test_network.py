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


def views(rows):
    return np.full((rows, 9), 0.5, np.float32)


def test_claims_do_not_see_each_other(exact):
    source, claims = exact.pieces(MARMOT.abstract), [exact.pieces(claim) for claim in CLAIMS]
    together = exact.logits(source, claims, views(3))
    alone = np.concatenate([exact.logits(source, [claim], views(1)) for claim in claims])
    assert together.shape == (3, 3)
    np.testing.assert_allclose(together, alone, atol=1e-3)
    np.testing.assert_allclose(together[::-1], exact.logits(source, claims[::-1], views(3)), atol=1e-3)


def test_a_claim_sees_the_source(exact):
    claim = [exact.pieces(CLAIMS[0])]
    one, other = (exact.logits(exact.pieces(paper.abstract), claim, views(1)) for paper in (MARMOT, CRANE))
    assert np.abs(one - other).max() > 0.1


def test_what_is_too_long_is_cut(exact):
    long = exact.pieces("owl " * 2 * LONGEST_SOURCE)
    np.testing.assert_allclose(
        exact.logits(long, [long], views(1)),
        exact.logits(long[:LONGEST_SOURCE], [long[:LONGEST_CLAIM]], views(1)),
        atol=1e-4,
    )


def test_eight_bits_say_nearly_the_same(exact):
    small = SupportNetwork.from_settings(Settings())
    source, claims = exact.pieces(MARMOT.abstract), [exact.pieces(claim) for claim in CLAIMS]
    np.testing.assert_allclose(small.logits(source, claims, views(3)), exact.logits(source, claims, views(3)), atol=1.0)


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
