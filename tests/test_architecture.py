"""The house: who may import whom, which library lives in which room, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Values flow one way: a module imports only from rooms before its own (or its own).
ORDER = [
    {"rag.types", "rag.errors", "rag.address"},
    {"rag.config"},
    {"rag.ingest", "rag.index"},
    {"rag.retrieve"},
    {"rag.answer"},
    {"rag.verify"},
    {"rag.question", "rag.llm_writer"},
    {"rag.assistant"},
    {"rag.render", "rag.export", "rag.llama", "rag.doctor", "rag.terminal", "rag.findings", "rag.topics"},
    {"rag.watch"},
    {"rag.checking", "rag.commands", "rag.cli", "app", "ui", "eval"},
]
ROOMS = {
    "rapidfuzz": {"rag/retrieve/spelling.py", "rag/verify/library.py", "rag/ingest/match.py"},
    "httpx": {"rag/index/chroma_server.py", "rag/ingest/live.py", "eval/bench/serve_load.py"},
    "psycopg": {"rag/index/postgres.py"},
    "rispy": {"rag/ingest/ris.py"},
    "yaml": {"rag/ingest/notes.py"},
    "chromadb": {
        "rag/index/chroma.py",
        "rag/index/chroma_server.py",
        "rag/index/vectors.py",
        "eval/bench/peer_llama_index.py",
    },
    **{name: {"eval/bench/peer_haystack.py"} for name in ("haystack", "haystack_integrations")},
    **{
        f"langchain_{name}": {"eval/bench/peer_langchain.py"}
        for name in ("chroma", "core", "huggingface", "text_splitters")
    },
    "txtai": {"eval/bench/peer_txtai.py"},
    "onnx": {"rag/index/bert_onnx.py"},
    "onnxruntime": {"rag/index/embed.py", "rag/index/bert_onnx.py", "rag/verify/network.py"},
    "tokenizers": {"rag/index/embed.py", "rag/verify/network.py"},
    "safetensors": {
        "rag/index/bert_onnx.py",
        "rag/verify/network.py",
        "eval/checker/export.py",
        "eval/checker/names.py",
    },
    "ray": {"rag/index/ray_encoding.py"},
    "sqlite3": {"rag/index/database.py", "rag/index/hnsw_files.py", "rag/index/upkeep.py", "rag/doctor.py"},
    "Stemmer": {"rag/index/lexical.py"},
    "openai": {"rag/answer/openai_model.py", "rag/index/openai_embedding.py"},
    "mcp": {"ui/tools.py"},
    "gradio": {
        f"ui/{name}.py" for name in ("api", "chat", "draft", "filters", "page", "people", "runs", "server", "shelf")
    },
    "llama_index": {"rag/answer/llama_index_model.py", "rag/llama.py", "eval/bench/peer_llama_index.py"},
    "sentence_transformers": {"eval/bench/reference_vectors.py"},
    "transformers": {"rag/answer/transformers_model.py", "rag/verify/nli.py"},
    "jinja2": {"eval/page.py"},
    "matplotlib": {"eval/plots.py"},
    "torch": {
        "rag/answer/transformers_model.py",
        "rag/verify/nli.py",
        *(f"eval/checker/{name}.py" for name in ("encoder", "train", "trainer", "checkpoint")),
    },
}
FILES = sorted([*ROOT.glob("rag/**/*.py"), *ROOT.glob("eval/**/*.py"), *ROOT.glob("ui/*.py"), ROOT / "app.py"])


def imports(path):
    """(module, within a function) for every import of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "rag":
                yield from ((f"rag.{alias.name}", id(node) in inner) for alias in node.names)
            else:
                yield node.module, id(node) in inner


def room(module):
    return next(
        (at for at, names in enumerate(ORDER) for name in names if module == name or module.startswith(f"{name}.")),
        None,
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upstream(path):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__").removesuffix(".__main__")
    own = room(module)
    if own is None:  # `rag` itself only names what its rooms hold
        return
    for imported, _ in imports(path):
        assert (room(imported) or 0) <= own, f"{module} imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_stay_in_their_rooms(path):
    name = str(path.relative_to(ROOT))
    for imported, _ in imports(path):
        allowed = ROOMS.get(imported.split(".")[0])
        assert allowed is None or name in allowed, f"{name} imports {imported}"


def test_only_the_settings_read_the_environment():
    readers = [
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and path.relative_to(ROOT)
        not in (Path("ui/__init__.py"), Path("eval/bench/side_by_side.py"), Path("rag/index/ray_encoding.py"))
    ]
    assert (
        readers == []
    )  # rag/config.py reads it through pydantic-settings; the page, the benchmark and Ray's room only set it


def loaded_by(code):
    script = f"{code}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.split()
    )


def test_importing_rag_loads_nothing_heavy():
    heavy = {"torch", "gradio", "llama_index", "transformers", "chromadb", "onnxruntime", "numpy", "pydantic", "openai"}
    assert not heavy & loaded_by("import rag; import rag.cli")


def test_asking_loads_no_torch_nor_page(tmp_path):
    code = f"""
from rag import Assistant
import pathlib
page = pathlib.Path({str(tmp_path)!r}) / "papers.jsonl"
page.write_text('{{"title": "Heron", "abstract": "Heron sorts integers in linear time."}}')
with Assistant.open(pathlib.Path({str(tmp_path)!r}) / "shelf") as assistant:
    assistant.ingest([page])
    assert assistant.ask("what sorts integers in linear time?").status == "answered"
"""
    assert not {"torch", "gradio", "llama_index", "transformers", "sentence_transformers", "openai"} & loaded_by(code)


def test_the_public_surface():
    import rag

    assert sorted(rag.__all__) == [
        "Answer", "Assistant", "AttestError", "Check", "Citation", "Claim", "Event", "Evidence", "IngestReport",
        "Paper", "Settings", "Verdict", "check",
    ]  # fmt: skip
    for name in rag.__all__:
        assert getattr(rag, name).__doc__, name


def test_every_package_is_named_in_pyproject():
    import tomllib

    named = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("rag", "eval", "prompts", "ui")
        for path in ROOT.glob(f"{top}/**/__init__.py")
    }
    assert named == there
