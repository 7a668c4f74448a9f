"""README and docs/ say what is: what is generated is current, every command runs, all Python runs, the site builds."""

import gzip
import html
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fakes import ScriptedModel
from test_live import Service

import rag
from eval.readme import README, renewed
from rag import Assistant, config
from rag.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BIBTEX = "@article{owl, title = {Owl Hours}, author = {Bird, Ann}, year = {2021}, abstract = {Owls hoot at night. Most do so for 3 hours.}}\n"
SERVICES = ("arxiv", "openalex", "s2", "hf")
# Commands whose exit code is their finding.
MAY_FAIL = ("--fail-on", "--min")


def test_what_is_generated_is_current():
    assert renewed(README) == README.read_text(encoding="utf-8"), "run: make results"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with everything that the pages name: sources, drafts, questions, and shelves of the starter papers."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "pages").mkdir()
    (folder / "notes").mkdir()
    (folder / "eval" / "datasets").mkdir(parents=True)
    papers = ROOT / "eval" / "datasets" / "papers.jsonl"
    shutil.copy(papers, folder / "eval" / "datasets")
    (folder / "pages" / "few.jsonl").write_text("".join(papers.read_text(encoding="utf-8").splitlines(True)[:3]))
    (folder / "notes" / "owls.md").write_text("# Owls at Noon\n\nOwls sleep at noon. They wake at dusk.\n")
    (folder / "refs.bib").write_text(BIBTEX)
    snapshot = {"id": "2401.00001", "title": "Owls", "abstract": "Owls hoot.", "update_date": "2024-01-02", "authors_parsed": [["Bird", "Ann", ""]], "versions": [{"version": "v1", "created": "Mon, 1 Jan 2024 00:00:00 GMT"}]}  # fmt: skip
    (folder / "arxiv.json.gz").write_bytes(gzip.compress(json.dumps(snapshot).encode() + b"\n"))
    (folder / "related-work.tex").write_text("Owls hoot at night \\cite{owl}.\n")
    (folder / "related-work.md").write_text("Owls hoot at night. Some of them hoot for hours.\n")
    question = {"question": "which papers are about tokenizers?", "answers": ["token"]}
    (folder / "mine.jsonl").write_text(json.dumps(question) + "\n")
    with Assistant.open(folder / "shelf") as assistant:
        assistant.ingest(["starter:"])
        (folder / "answer.json").write_text(assistant.ask("papers on tokenizers").to_json())
    shutil.copytree(folder / "shelf", folder / "starter")
    return folder


@pytest.fixture
def at_the_desk(desk, tmp_path, monkeypatch):
    """Stands in a copy of the desk. Services and the language model are local, passwords are typed, and nothing is served on."""
    import uvicorn

    shutil.copytree(desk, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "a long password")
    monkeypatch.setattr("rag.ingest.live.time.sleep", lambda seconds: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: None)
    services = [Service(name) for name in SERVICES]
    with ScriptedModel() as model, services[0], services[1], services[2], services[3]:
        bases = {name: service.base for name, service in zip(SERVICES, services, strict=True)}
        for name, value in {
            "ATTEST_SERVICES": json.dumps(bases), "OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "none",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        config.settings.cache_clear()
        yield model
    config.settings.cache_clear()


def blocks(page):
    """The blocks of a page in order: `python`, or `console` with the commands and, in docs/, lines of what they print."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(python|console)\n(.*?)^```|^((?:    \S[^\n]*\n)+)", text, re.DOTALL | re.MULTILINE):
        if found[3]:
            yield "console", "".join(f"$ {line[4:]}\n" for line in found[3].splitlines())
        else:
            yield found[1], found[2]


def commands(block):
    """(words of the command, lines that its output must have)."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, *output = part.splitlines()
        yield shlex.split(line, comments=True), output


def run(words, model, capsys):
    """Run one command of a page and return what it prints."""
    if words[0] == "docker":  # tests/test_container.py holds what they name
        return ""
    if words[0] == "pip":
        extras = set(re.findall(r"\[([\w,]+)\]", " ".join(words)))
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert {name for group in extras for name in group.split(",")} <= set(known), words
        return ""
    if words[0] == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        assert words[1] in targets, words
        return ""
    assert words[0] == "attest", words
    words, into = (words[1:-2], words[-1]) if ">" in words else (words[1:], None)
    if words[0] == "eval" and words[1] not in ("export", "import"):
        words += ["--limit", "2"]
    if words[0] == "serve":
        words += ["--port", "0"]
    model.play(*["The papers are about tokenizers [1]."] * 3)
    capsys.readouterr()
    code = main(words)
    out, err = capsys.readouterr()
    assert code == 0 or (code == 1 and any(option in words for option in MAY_FAIL)), (words, code, err)
    if "openai:MODEL" in words:
        assert model.requests
        assert "Written without" not in out
    if into:
        assert out
        Path(into).write_text(out, encoding="utf-8")
    return out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs(page, at_the_desk, capsys):
    if page.name in ("llama-index.md",):
        pytest.importorskip("llama_index.core")
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, page.name, "exec"), {})
            continue
        for words, output in commands(block):
            out = run(words, at_the_desk, capsys)
            for line in output:
                assert line in out, (words, out)


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        assert set(re.findall(r"(?:`|^    )make ([\w-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)) <= targets


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built with every warning an error."""
    pytest.importorskip("mkdocs", reason="pip install 'attest[docs]'")
    pytest.importorskip("mkdocstrings", reason="pip install 'attest[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return folder


def test_the_reference_has_the_public_names_and_their_signatures(site):
    named = re.findall(r"^::: rag\.(\w+)$", (ROOT / "docs" / "reference.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(rag.__all__)
    page = (site / "reference" / "index.html").read_text(encoding="utf-8")
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    for name in ("open", "ingest", "search", "ask", "aask", "stream", "astream", "check"):
        told = re.search(rf"^{name}\((.*?)^\) -> ", text, re.DOTALL | re.MULTILINE)
        assert told, name
        wanted = [key for key in inspect.signature(getattr(Assistant, name)).parameters if key != "self"]
        assert re.findall(r"^    (\w+):", told[1], re.MULTILINE) == wanted, name


def test_what_is_public_is_documented():
    for name in rag.__all__:
        public = getattr(rag, name)
        assert inspect.getdoc(public), name
        members = vars(public).items() if inspect.isclass(public) else ()
        for member, value in members:
            if inspect.isfunction(value) and not member.startswith("_"):
                assert "return" in value.__annotations__, f"{name}.{member}"


def test_the_site_loads_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        assert not re.findall(
            r"<(?:script|link|img)[^>]+(?:src|href)=\"(?:https?:)?//", page.read_text(encoding="utf-8")
        )
