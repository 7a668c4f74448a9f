"""What pip installs: the wheel holds the prompts, the starter shelf and the type marker, and answers without the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUESTION = "which papers compare hybrid linear attention ratios?"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's files, built from a copy of the sources, installed without what it needs (that is here already)."""
    folder = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns(".*", "__pycache__", "tests", "runs", "starter", "build", "*.egg-info")
    shutil.copytree(ROOT, folder / "source", ignore=left_out)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        folder / "source",
    ]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if "No module named 'setuptools'" in done.stderr or "Cannot import 'setuptools" in done.stderr:
        pytest.skip("setuptools is not installed, and there is no network to fetch it")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_is_complete(installed):
    for name in (
        "rag/py.typed",
        "rag/verify/support.safetensors",
        "eval/datasets/papers.jsonl",
        "app.py",
        "rag/ingest/live.py",
    ):
        assert (installed / name).is_file(), name
    assert {path.name for path in (installed / "prompts").glob("*.md")} == {
        path.name for path in (ROOT / "prompts").glob("*.md")
    }


def test_it_answers_on_its_own(installed, tmp_path):
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ATTEST_", "OPENAI_")) or key == "ATTEST_CACHE_DIR"
    }

    def attest(*arguments):
        script = f"import sys; sys.path.insert(0, {str(installed)!r}); import rag; assert rag.__file__.startswith({str(installed)!r}); from rag.cli import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-P", "-c", script, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**kept, "PYTHONPATH": str(installed)},
        )  # fmt: skip

    read = attest("ingest", "starter:")
    assert read.returncode == 0, read.stderr
    assert " 160 new" in read.stdout
    told = attest("ask", QUESTION)
    assert told.returncode == 0, told.stderr
    assert "supported" in told.stdout
