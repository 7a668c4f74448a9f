"""How to serve: options of the command line and their values, without Gradio, which takes seconds to load."""

from __future__ import annotations

import argparse
import getpass
from dataclasses import dataclass
from pathlib import Path

from rag.errors import UsageError
from ui.accounts import add_user


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve: address (port 0 takes a free one), names the server may be called by besides, file of users
    (None: no log-in), and the folder of evaluation runs."""

    host: str = "127.0.0.1"
    port: int = 7860
    names: tuple[str, ...] = ()
    auth_file: Path | None = None
    runs: Path = Path("runs")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `attest serve` and `python app.py`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--allow-host", metavar="NAME", action="append", default=[],
        help="another name this server is called by (behind a proxy, or with --host 0.0.0.0); may be repeated",
    )  # fmt: skip
    parser.add_argument("--auth-file", type=Path, metavar="FILE", help="file of users who may log in (default: none)")
    parser.add_argument("--add-user", metavar="NAME", help="ask for a password, add the user to --auth-file, and end")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR",
        help="folder of evaluation runs whose newest is shown (default: %(default)s)",
    )  # fmt: skip


def to_options(arguments: argparse.Namespace) -> ServeOptions:
    return ServeOptions(
        arguments.host, arguments.port, tuple(arguments.allow_host), arguments.auth_file, arguments.runs
    )


def ask_for_user(arguments: argparse.Namespace) -> None:
    """Add the user of --add-user.

    Raises:
        UsageError: there is no --auth-file, or name or password will not do.
    """
    if not arguments.auth_file:
        raise UsageError("--add-user needs --auth-file FILE", hint="attest serve --auth-file users --add-user NAME")
    first = getpass.getpass(f"Password of {arguments.add_user}: ")
    if getpass.getpass("Once more: ") != first:
        raise UsageError("the two passwords differ", hint="give the same command again")
    add_user(arguments.auth_file, arguments.add_user, first)
    print(f"{arguments.add_user} may log in (attest serve --auth-file {arguments.auth_file})")
