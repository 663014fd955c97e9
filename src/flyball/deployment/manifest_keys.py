"""The key that signs manifests: the control plane's own, made when it is first needed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput
from flyball.refs import new_id
from flyball.serving.signed_manifest import key_id

KEY = "manifest.key"


class ManifestKey:
    """An Ed25519 key in a folder, for its owner only; its public half beside it, for whoever follows.

    Args:
        folder: Of the workspace's keys.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: tuple[str, Any] | None = None

    @property
    def public_file(self) -> Path:
        """Where the public half lies, once something was signed."""
        return (self._folder / KEY).with_suffix(".pub")

    def sign(self, data: bytes) -> tuple[str, bytes] | None:
        """The id of the key and its signature; None where the library that signs is not installed.

        Raises:
            InvalidInput: the key cannot be used.
        """
        try:
            with self._lock:
                if self._loaded is None:
                    self._loaded = self._load()
        except ImportError:
            return None
        name, key = self._loaded
        return name, key.sign(data)

    def _load(self) -> tuple[str, Any]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        path = self._folder / KEY
        if not path.is_file():
            self._make(path, serialization, Ed25519PrivateKey.generate())
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise InvalidInput(f"Others can read the key {path}.", hint=f"chmod 600 {path}")
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{path} holds no private key.", hint="Move it away: a new one is then made.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInput(f"{path} is no key of Ed25519.")
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return key_id(raw), key

    def _make(self, path: Path, serialization: Any, made: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        told = made.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        fresh = path.with_name(f".{new_id()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secret)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, path)  # who comes second takes the key of who came first
            except FileExistsError:
                return
            self.public_file.write_bytes(told)
        finally:
            fresh.unlink(missing_ok=True)
