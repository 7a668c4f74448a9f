"""Users and their passwords: a file of `NAME:scrypt$SALT$HASH` lines."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from rag.errors import UsageError

SHORTEST = 8
# About 50 ms and 16 MB each (RFC 7914's interactive setting).
_COST = {"n": 2**14, "r": 8, "p": 1}
_LINE = re.compile(r"(?P<name>[\w.@-]{1,64}):scrypt\$(?P<salt>[0-9a-f]{32})\$(?P<hash>[0-9a-f]{64})")


class Accounts:
    """Who may log in; made from the file once, when the server starts."""

    def __init__(self, users: dict[str, tuple[bytes, bytes]]) -> None:
        self._users = users
        self._nobody = (secrets.token_bytes(16), secrets.token_bytes(32))

    @classmethod
    def read(cls, path: Path) -> Accounts:
        """The users of a file; empty lines and ones that begin with # are passed over.

        Raises:
            UsageError: it cannot be read, is open to other users of the machine, or a line is no user.
        """
        try:
            text = path.read_text(encoding="utf-8")
            mode = path.stat().st_mode
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}", hint=_HINT.format(path=path)) from error
        if mode & 0o077:
            raise UsageError(f"{path} can be read by other users of this machine", hint=f"chmod 600 {path}")
        users: dict[str, tuple[bytes, bytes]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            found = _LINE.fullmatch(line.strip())
            if not found:
                raise UsageError(f"{path}:{number}: no user", hint=_HINT.format(path=path))
            users[found["name"]] = bytes.fromhex(found["salt"]), bytes.fromhex(found["hash"])
        if not users:
            raise UsageError(f"{path} names no user", hint=_HINT.format(path=path))
        return cls(users)

    def allows(self, name: str, password: str) -> bool:
        """Whether this is a user's password; takes as long for an unknown name."""
        salt, stored = self._users.get(name, self._nobody)
        return hmac.compare_digest(_hash(password, salt), stored)


_HINT = "add a user: attest serve --auth-file {path} --add-user NAME"


def add_user(path: Path, name: str, password: str) -> None:
    """Add a user to a file, which is made when it is not there; the same name again gets the new password.

    Raises:
        UsageError: the name or the password will not do, or the file cannot be written.
    """
    if not re.fullmatch(r"[\w.@-]{1,64}", name):
        raise UsageError(f"{name!r} is no user name", hint="letters, digits, and . @ - _")
    if len(password) < SHORTEST:
        raise UsageError(
            f"the password is too short: at least {SHORTEST} characters", hint="give the same command again"
        )
    salt = secrets.token_bytes(16)
    try:
        kept = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        lines = [line for line in kept if not line.startswith(f"{name}:")]
        path.touch(mode=0o600)
        path.chmod(0o600)
        lines.append(f"{name}:scrypt${salt.hex()}${_hash(password, salt).hex()}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", hint="choose another --auth-file"
        ) from error


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, maxmem=64 * 1024 * 1024, **_COST)
