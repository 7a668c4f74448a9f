"""Property tests are not timed: the first example loads the encoder, and machines are busy.

Tests of faults share one shelf that nothing happened to; each works on a copy.
"""

import json

import pytest
from hypothesis import settings

settings.register_profile("attest", deadline=None)
settings.load_profile("attest")


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A file of real papers."""
    from tests.processes import PAPERS

    path = tmp_path_factory.mktemp("source") / "papers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PAPERS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def undisturbed(source, tmp_path_factory):
    """A shelf that nothing happened to."""
    from tests.processes import attest

    folder = tmp_path_factory.mktemp("undisturbed") / "shelf"
    done = attest("ingest", source, "--shelf", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def whole(undisturbed):
    """All that it holds."""
    from tests.processes import expected

    return expected(undisturbed)


@pytest.fixture
def shelf(undisturbed, tmp_path):
    """A copy of it, to be harmed."""
    from tests.processes import copy_of

    return copy_of(undisturbed, tmp_path / "shelf")
