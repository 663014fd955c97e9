"""A door before a model server: with a file of tokens, who asks for a prediction shows one of them.

The file holds a line for each token: its BLAKE3 digest, a space, and what it is for. It is looked at again when it changes, so
that a line that is gone closes the door within a second. What says whether the server lives stays open to all.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from flyball.errors import InvalidInput, LoginNeeded
from flyball.serialization import digest, error_to_plain, to_json

_OPEN: Final = frozenset({"/health", "/ping", "/v2/health/live", "/v2/health/ready"})
_LOOK_EVERY: Final = 1.0


class TokenFile:
    """The tokens that a model server takes.

    Args:
        path: The file; it has to be there.

    Raises:
        InvalidInput: a line of it is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = time.monotonic()
        self._stamp = path.stat().st_mtime_ns
        self._digests = _read(path)

    def knows(self, token: str) -> bool:
        """Whether a token is among them."""
        now = time.monotonic()
        if now - self._looked > _LOOK_EVERY:
            self._looked = now
            self._look()
        shown = digest(token.encode())
        return any(hmac.compare_digest(shown, known) for known in self._digests)

    def _look(self) -> None:
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._digests, self._stamp = _read(self._path), stamp
        except (OSError, InvalidInput):
            self._digests = ()  # a file that cannot be read opens nothing


class Protected:
    """An application behind that door."""

    def __init__(self, app: ASGIApp, tokens: TokenFile) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _OPEN or self._tokens.knows(_shown(scope)):
            await self._app(scope, receive, send)
            return
        error = LoginNeeded("This model server asks for a token.", hint="Send 'Authorization: Bearer <token>'.")
        body = to_json(error_to_plain(error))
        headers = [
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"www-authenticate", b"Bearer"),
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def add_token(path: Path, name: str) -> str:
    """A new token, whose digest is added to a file that is made if there is none. It is told here and never again.

    Raises:
        InvalidInput: what it is for cannot stand in a line.
    """
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise InvalidInput(f"{name[:60]!r} does not say what the token is for.", hint="Use 1 to 200 characters.")
    token = f"flyp_{secrets.token_hex(32)}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
        file.write(f"{digest(token.encode())} {name.strip()}\n")
        file.flush()
        os.fsync(file.fileno())
    return token


def _read(path: Path) -> tuple[str, ...]:
    lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for line in lines:
        if len(line[0]) != 64 or not all(letter in "0123456789abcdef" for letter in line[0]):
            raise InvalidInput(
                f"{path} holds a line that is no token's digest.", hint="`flyball tokens for-serving` writes them."
            )
    return tuple(line[0] for line in lines)


def _shown(scope: Scope) -> str:
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, token = (found[0] if len(found) == 1 else b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
