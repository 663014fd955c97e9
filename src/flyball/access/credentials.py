"""Tokens that `flyball login` keeps for servers, in a file of the user's that nobody else may read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flyball.access.local import local_token
from flyball.errors import InvalidInput
from flyball.serialization import from_json, to_json

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def credentials_file(environment: Mapping[str, str] | None = None) -> Path:
    """Where the tokens are kept."""
    known = os.environ if environment is None else environment
    folder = known.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(folder) / "flyball" / "credentials.json"


def kept_token(url: str, *, path: Path | None = None) -> str:
    """The token that is kept for a server; empty if there is none.

    Raises:
        InvalidInput: others may read the file.
    """
    return _read(path or credentials_file()).get(place_of(url), "")


def keep_token(url: str, token: str, *, path: Path | None = None) -> Path:
    """Keeps a token for a server, in place of the one before; gives the file."""
    path = path or credentials_file()
    known = {**_read(path), place_of(url): token}
    _write(path, {place: kept for place, kept in known.items() if kept})
    return path


def token_for(url: str, given: str, workspace: Path) -> str:
    """The token that is shown to a server: the one that was given, the one that is kept for it, or that of the workspace here."""
    if given:
        return given
    kept = kept_token(url)
    if kept:
        return kept
    # The workspace's own token is shown to its own server alone: any program on this machine may listen on a port.
    return local_token(workspace) if urlsplit(url).hostname in _LOOPBACK and _is_up(workspace, url) else ""


def place_of(url: str) -> str:
    """A server's address as it is kept: without path, in small letters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def _is_up(workspace: Path, url: str) -> bool:
    try:
        facts = from_json((workspace / "up.json").read_bytes(), dict[str, Any])
    except (OSError, InvalidInput):
        return False
    return place_of(str(facts.get("url", ""))) == place_of(url)


def _read(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_mode & 0o077 and os.name == "posix":
            raise InvalidInput(f"Others may read {path}, which holds tokens.", hint=f"Run: chmod 600 {path}")
        return from_json(path.read_bytes(), dict[str, str])
    except FileNotFoundError:
        return {}


def _write(path: Path, known: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(to_json(known))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
