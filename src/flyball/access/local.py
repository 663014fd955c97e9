"""A machine of one's own: one token in a file that only its owner reads, and what a browser gets in its place.

Nobody logs in here. Programs show the token of the file; a browser gets a link that is good once, and for it a cookie. Both are
made of the token, so every process that reads the file makes and knows them, and a new file ends them all.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from flyball.errors import Corrupt, InvalidInput
from flyball.principals import Principal, machine_user

FILE: Final = "token"
LOCAL_PREFIX: Final = "fly_local_"
_TICKET_SECONDS: Final = 3600
_SESSION_SECONDS: Final = 30 * 86_400


class LocalOwner:
    """Who owns a workspace on this machine.

    Args:
        token: The content of the file.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self._key = token.encode()
        self._principals: dict[str, Principal] = {}

    @classmethod
    def of(cls, workspace: Path) -> Self:
        """The owner of the workspace in a folder; the file is made where there is none.

        Raises:
            InvalidInput: others may read the file.
            Corrupt: it holds no token.
        """
        path = workspace / FILE
        if not path.exists():
            _write(path)
        if path.stat().st_mode & 0o077 and os.name == "posix":
            raise InvalidInput(f"Others may read {path}, which holds a token.", hint=f"Run: chmod 600 {path}")
        token = path.read_text(encoding="ascii", errors="replace").strip()
        if not token.startswith(LOCAL_PREFIX) or len(token) < 40:
            raise Corrupt(f"{path} holds no token.", hint="Remove it: a new one is made at the next start.")
        return cls(token)

    def within(self, project: str) -> Principal:
        """Who that is within a project: they own them all. Nothing proves their name but the machine's word."""
        found = self._principals.get(project)
        if found is None:
            made = Principal(name=machine_user() or "local", role="owner", admin=True, project=project, proven=False)
            found = self._principals[project] = made
        return found

    def is_token(self, shown: str) -> bool:
        """Whether this is the token."""
        return hmac.compare_digest(shown.encode(), self._key)

    def new_ticket(self) -> str:
        """What a link carries that opens the page once, within an hour."""
        return self._signed("ticket", int(time.time()) + _TICKET_SECONDS, secrets.token_hex(8))

    def is_ticket(self, shown: str) -> bool:
        """Whether it was made here and is not too old; whether it was used is the caller's to know."""
        return self._is_signed("ticket", shown)

    def new_session(self) -> str:
        """What a browser's cookie holds."""
        return self._signed("session", int(time.time()) + _SESSION_SECONDS, secrets.token_hex(8))

    def is_session(self, shown: str) -> bool:
        """Whether a cookie was made here and is not too old."""
        return self._is_signed("session", shown)

    def _signed(self, what: str, until: int, nonce: str) -> str:
        mark = hmac.digest(self._key, f"{what} {until} {nonce}".encode(), "sha256").hex()
        return f"{until}.{nonce}.{mark}"

    def _is_signed(self, what: str, shown: str) -> bool:
        until, _, rest = shown.partition(".")
        nonce, _, mark = rest.partition(".")
        if len(shown) > 200 or not until.isdecimal() or int(until) < time.time():
            return False
        expected = hmac.digest(self._key, f"{what} {until} {nonce}".encode(), "sha256").hex()
        return hmac.compare_digest(expected.encode(), mark.encode())


def local_token(workspace: Path) -> str:
    """The token of the workspace in a folder; empty if one may not read it or there is none."""
    with suppress(OSError, UnicodeDecodeError):
        return (workspace / FILE).read_text(encoding="ascii").strip()
    return ""


def _write(path: Path) -> None:
    """Writes a new token, whole or not at all; of two that begin at once, one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{LOCAL_PREFIX}{secrets.token_hex(32)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
