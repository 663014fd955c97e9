"""The key that signs heads of the audit log, and the file beside the database that remembers them."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.audit_chain import Seal, signed_bytes

KEY = "audit.key"
HEADS = "audit-heads.jsonl"


class AuditKey:
    """The instance's own Ed25519 key (RFC 8032), made when it is first needed; for its owner only.

    Args:
        folder: Where the key lies, and the file of signed heads beside it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._key: Any = None
        self._id = ""

    def sign(self, data: bytes) -> tuple[str, str] | None:
        """The id of the key and its signature; None where the library that signs is not installed."""
        try:
            with self._lock:
                if self._key is None:
                    self._key = self._load()
                    self._id = key_id(public_bytes(self._key.public_key()))
        except ImportError:
            return None
        return self._id, self._key.sign(data).hex()

    def public(self) -> str:
        """The public key as PEM; empty where there is none yet."""
        path = (self._folder / KEY).with_suffix(".pub")
        return path.read_text(encoding="ascii") if path.is_file() else ""

    def keep(self, seal: Seal) -> None:
        """Remembers a signed head outside of the database."""
        descriptor = os.open(self._folder / HEADS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, to_json(seal) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def kept(self) -> list[Seal]:
        """The heads that were signed here; a last line that a power cut has left half is no head."""
        path = self._folder / HEADS
        if not path.is_file():
            return []
        return [from_json(line, Seal) for line in path.read_bytes().splitlines() if line.endswith(b"}")]

    def _load(self) -> Any:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        path = self._folder / KEY
        if not path.is_file():
            self._make(path, serialization, Ed25519PrivateKey.generate())
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise InvalidInput(f"Others can read the key of the audit log, {path}.", hint=f"chmod 600 {path}")
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{path} holds no private key that can be used: {error}.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInput(f"{path} is no Ed25519 key.")
        return key

    def _make(self, path: Path, serialization: Any, made: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        half = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(half, path)  # of several processes that begin at once, the first one's key is taken
        except FileExistsError:
            return
        finally:
            half.unlink()
        public: bytes = made.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        path.with_suffix(".pub").write_bytes(public)


def public_bytes(key: Any) -> bytes:
    """The 32 bytes of a public key."""
    from cryptography.hazmat.primitives import serialization

    raw: bytes = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return raw


def key_id(raw: bytes) -> str:
    """SHA-256 of the 32 bytes of a public key."""
    return hashlib.sha256(raw).hexdigest()


def read_public(path: Path) -> Any:
    """The public key in a PEM file.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it holds no Ed25519 key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not path.is_file():
        raise NotFound(f"There is no key {path}.", hint="It lies beside the workspace, as keys/audit.pub.")
    return _ed25519(path.read_bytes(), str(path), serialization, Ed25519PublicKey)


def public_of(pem: str) -> Any:
    """The public key that a PEM text holds.

    Raises:
        InvalidInput: it holds no Ed25519 key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return _ed25519(pem.encode(), "The text", serialization, Ed25519PublicKey)


def is_signed(seal: Seal, key: Any) -> bool:
    """Whether the key has signed the head."""
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(bytes.fromhex(seal.signature), signed_bytes(seal.id, seal.hash, seal.at))
    except (InvalidSignature, ValueError):
        return False
    return True


def _ed25519(data: bytes, what: str, serialization: Any, kind: type[Any]) -> Any:
    try:
        key = serialization.load_pem_public_key(data)
    except ValueError as error:
        raise InvalidInput(f"{what} holds no public key: {error}.") from error
    if not isinstance(key, kind):
        raise InvalidInput(f"{what} holds no Ed25519 key.")
    return key
