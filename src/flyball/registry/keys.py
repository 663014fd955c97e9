"""Keys for signing: pairs of elliptic curve keys in PEM files of their owner."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball.errors import AlreadyExists, InvalidInput, MissingExtra, NotFound

EXTRA = "pip install 'flyball[signing]'"
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """Where a pair of keys lies.

    Attributes:
        id: SHA-256 of the public key.
    """

    private: Path
    public: Path
    id: str


def make_keys(path: Path) -> KeyPair:
    """Makes a pair of keys (ECDSA, P-256): the private one at the path, for its owner only, the public one beside it.

    Raises:
        AlreadyExists: a file is there already.
        InvalidInput: the name is one for a public key.
        MissingExtra: the library is not installed.
    """
    private, public = path, public_path(path)
    if private == public:
        raise InvalidInput(f"{path} is the name of a public key.", hint="Name the private one, such as ada.key.")
    for taken in (private, public):
        if taken.exists() or taken.is_symlink():
            raise AlreadyExists(f"{taken} exists already.", hint="A key is never overwritten; choose another place.")
    serialization, ec = _cryptography()
    made = ec.generate_private_key(ec.SECP256R1())
    secret = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told: bytes = made.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private.parent.mkdir(parents=True, exist_ok=True)
    # Never, not even for a moment, can others read it.
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    public.write_bytes(told)
    return KeyPair(private=private, public=public, id=key_id(told.decode()))


def public_path(private: Path) -> Path:
    """Where the public key of a private one lies: the same name, with `.pub` for the ending."""
    return private.with_suffix(".pub")


def check_key_file(private: Path) -> str:
    """The PEM of the public key that belongs to a private one, which can be used for signing.

    Raises:
        NotFound: there is no such file.
        InvalidInput: others can read it, or it holds no private key of an elliptic curve that can be used.
        MissingExtra: the library is not installed.
    """
    serialization, ec = _cryptography()
    data = _key_bytes(private)
    if os.name == "posix" and private.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidInput(f"Others can read the private key {private}.", hint=f"chmod 600 {private}")
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, _unsupported()) as error:
        raise InvalidInput(f"{private} holds no private key that can be used: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _CURVES:
        raise InvalidInput(f"{private} is no key of the curve P-256, P-384 or P-521.", hint="flyball models keygen")
    told: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return told.decode()


def read_public_key(path: Path) -> str:
    """The PEM of the public key in a file, also of one that holds the private one.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it holds no key of an elliptic curve that can be used.
        MissingExtra: the library is not installed.
    """
    data = _key_bytes(path)
    if b"PRIVATE KEY" in data:
        return check_key_file(path)
    serialization, ec = _cryptography()
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, _unsupported()) as error:
        raise InvalidInput(f"{path} holds no public key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES:
        raise InvalidInput(f"{path} is no key of the curve P-256, P-384 or P-521.", hint="flyball models keygen")
    told: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return told.decode()


def key_id(public_key: str) -> str:
    """SHA-256 of a public key, as `model_signing` names it.

    Raises:
        InvalidInput: the text is no public key in PEM.
    """
    if not public_key.startswith("-----BEGIN PUBLIC KEY-----") or len(public_key) > 10_000 or not public_key.isascii():
        raise InvalidInput(
            "This is no public key.", hint="Give the PEM file that `flyball models keygen` wrote as .pub."
        )
    # As the library names a key: by what its PEM is written as, whatever the ends of its lines were.
    lines = "\n".join(line.strip() for line in public_key.strip().splitlines())
    return hashlib.sha256(f"{lines}\n".encode()).hexdigest()


def _key_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no key {path}.", hint="Make a pair with `flyball models keygen`.") from None
    except OSError as error:
        raise InvalidInput(f"The key {path} cannot be read: {error.strerror}.") from error


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise MissingExtra("Keys need their library.", hint=EXTRA) from error
    return serialization, ec


def _unsupported() -> type[Exception]:
    from cryptography.exceptions import UnsupportedAlgorithm

    return UnsupportedAlgorithm
