"""What pip installs, in a clean environment: prompts, starter shelf and type marker are there, and `attest` answers without
the repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUESTION = "which papers compare hybrid linear attention ratios?"


def clean():
    """The environment without settings of Attest and without a way to the repository."""
    own = ("ATTEST_", "OPENAI_", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(own) or name == "ATTEST_CACHE_DIR"}


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean())


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A new environment with the wheel, built from a copy of the sources. What it needs is here already, and looked up
    beside it: a path in a .pth file does not bring along the repository, which is installed here by a .pth of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns(".*", "__pycache__", "tests", "runs", "starter", "build", "site", "*.egg-info")
    shutil.copytree(ROOT, folder / "source", ignore=left_out)
    done = pip(
        "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist", folder / "source"
    )
    if "No module named 'setuptools'" in done.stderr or "Cannot import 'setuptools" in done.stderr:
        pytest.skip("setuptools is not installed, and there is no network to fetch it")
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    done = pip("--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert done.returncode == 0, done.stderr
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    shutil.rmtree(folder / "source")
    return environment, site


def test_the_wheel_is_complete(installed):
    _, site = installed
    for name in (
        "rag/py.typed",
        "rag/verify/support.safetensors",
        "eval/datasets/papers.jsonl",
        "app.py",
        "ui/page.css",
    ):
        assert (site / name).is_file(), name
    sources = {
        path.relative_to(ROOT) for top in ("rag", "ui", "eval", "prompts") for path in ROOT.glob(f"{top}/**/*.py")
    }
    assert sources <= {path.relative_to(site) for path in site.rglob("*.py")}
    assert {path.name for path in (site / "prompts").glob("*.md")} == {
        path.name for path in (ROOT / "prompts").glob("*.md")
    }


def test_it_answers_from_an_unrelated_folder(installed, tmp_path):
    environment, site = installed

    def run(program, *arguments):
        return subprocess.run(
            [environment / "bin" / program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, env=clean()
        )  # fmt: skip

    where = run("python", "-c", "import rag, eval, ui, prompts; print(rag.__file__, eval.__file__, ui.__file__)")
    assert where.stdout.count(str(site)) == 3, where
    read = run("attest", "ingest", "starter:")
    assert read.returncode == 0, read.stderr
    assert " 160 new" in read.stdout
    told = run("attest", "ask", QUESTION)
    assert told.returncode == 0, told.stderr
    assert "A Systematic Analysis of Hybrid Linear Attention" in told.stdout
    assert "supported" in told.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shelf"]
