"""A key file on this machine, mode 600; by default `keys/secrets.key` in the workspace's folder.

Each line is a key of 256 bits in base64, the newest last: with the older ones, backups of the database can still be read.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from pathlib import Path

from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.governance.key_wrappers.base import KeyWrapper, Wrapper
from flyball.governance.sealing import seal, unseal

_NAME = "secrets.key"
_BYTES = 32


class _FileWrapper:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    @property
    def key(self) -> str:
        return _id(self._keys(make=True)[-1])

    def wrap(self, data_key: bytes, context: str) -> bytes:
        return seal(self._keys(make=True)[-1], data_key, context)

    def unwrap(self, wrapped: bytes, context: str, key: str) -> bytes:
        for found in self._keys(make=False):
            if _id(found) == key:
                return unseal(found, wrapped, context)
        raise NotFound(
            f"The key {key} that the secret is encrypted with is not in {self._path}.",
            hint="Bring back the key file that belongs to this database.",
        )

    def renew(self) -> None:
        keys = self._keys(make=False) if self._path.is_file() else []
        self._write([*keys, os.urandom(_BYTES)])

    def _keys(self, *, make: bool) -> list[bytes]:
        with self._lock:
            if not self._path.is_file():
                if not make:
                    raise NotFound(f"There is no key file {self._path}.", hint="Bring it back from where you keep it.")
                self._make()
            if os.name == "posix" and self._path.stat().st_mode & 0o077:
                raise InvalidInput(f"Others can read the key file {self._path}.", hint=f"chmod 600 {self._path}")
            try:
                found = [base64.b64decode(line, validate=True) for line in self._path.read_bytes().split()]
            except ValueError:
                found = []
        if not found or any(len(key) != _BYTES for key in found):
            raise Corrupt(f"{self._path} holds no keys of {_BYTES} bytes in base64.")
        return found

    def _make(self) -> None:
        half = self._half([os.urandom(_BYTES)])
        try:
            os.link(half, self._path)  # of several processes that begin at once, the first one's key is taken
        except FileExistsError:
            return
        finally:
            half.unlink()

    def _write(self, keys: list[bytes]) -> None:
        self._half(keys).replace(self._path)

    def _half(self, keys: list[bytes]) -> Path:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = self._path.with_name(f"{self._path.name}.{os.getpid()}.{threading.get_ident()}")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(b"".join(base64.b64encode(key) + b"\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        return half


class File:
    """Wrappers with a key file."""

    def open(self, place: str, folder: Path) -> Wrapper:
        """A wrapper with the file of that path; by default with that of the workspace."""
        return _FileWrapper(Path(place).expanduser() if place else folder / _NAME)


def _id(key: bytes) -> str:
    return hashlib.sha256(b"flyball secrets key" + key).hexdigest()[:16]


plugin: KeyWrapper = File()
