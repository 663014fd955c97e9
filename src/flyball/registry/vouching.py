"""What is refused at registration because it would do harm when it is read, and whose word counts more than that.

Files are looked into (`models/scanning.py`), never read as models. Who holds a key that the project trusts can vouch for a package:
then it is taken whatever it holds. The private key stays with its holder.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput, NotFound
from flyball.models.package import ModelPackage, package_id
from flyball.models.scanning import Finding, scan_file
from flyball.registry._trust_store import trusted_keys
from flyball.registry.keys import check_key_file, key_id
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

_SOURCES = (".py", ".md", ".txt", ".yaml", ".yml", ".json")
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key whose word is taken.

    Attributes:
        key: SHA-256 of the public key.
        name: Whose it is, in words.
    """

    key: str
    public_key: str
    name: str
    at: datetime


class TrustedKeys:
    """Keeps the keys whose holders can vouch for packages."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    @change(role="maintainer")
    def trust(self, public_key: str, name: str = "") -> TrustedKey:
        """Takes the word of a key from now on.

        Args:
            public_key: As PEM.

        Raises:
            InvalidInput: it is no public key.
        """
        found = TrustedKey(key=key_id(public_key), public_key=public_key, name=name[:200], at=self._clock.now())
        row = {name: getattr(found, name) for name in found.__dataclass_fields__}
        with self._database.transaction() as connection:
            insert = self._database.insert(trusted_keys).values(**row)
            connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"name": found.name}))
            self._events.append(connection, "registry.key_trusted", "", key=found.key, name=found.name)
        return found

    @change(role="maintainer")
    def distrust(self, key: str) -> None:
        """Takes the word of a key no more; what was registered by it stays.

        Raises:
            NotFound: it is not trusted.
        """
        with self._database.transaction() as connection:
            done = connection.execute(sa.delete(trusted_keys).where(trusted_keys.c.key == key))
            if not done.rowcount:
                raise NotFound(f"No key '{key[:16]}' is trusted here.")
            self._events.append(connection, "registry.key_distrusted", "", key=key)

    @read
    def list(self) -> list[TrustedKey]:
        """The keys whose word is taken, oldest first."""
        rows = self._database.rows(sa.select(trusted_keys).order_by(trusted_keys.c.at).limit(1000))
        return [TrustedKey(**row._mapping) for row in rows]


def vouch(package: ModelPackage, key: Path) -> str:
    """Somebody's word that a package may be taken: the id of the key and its signature.

    Args:
        key: File of the private key.

    Raises:
        NotFound: there is no such file.
        InvalidInput: the key cannot be used.
        MissingExtra: the library is not installed.
    """
    public = check_key_file(key)
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    made = private.sign(_vouched(package), ec.ECDSA(hashes.SHA256()))
    return f"{key_id(public)}:{base64.b64encode(made).decode()}"


def check_harmless(package: ModelPackage, blobs: Blobs, keys: Sequence[TrustedKey], voucher: str = "") -> None:
    """Refuses a package whose files would do harm when they are read, unless a trusted key vouches for it.

    Raises:
        InvalidInput: a file would do harm; the message names it and says why.
    """
    problem = _check_voucher(package, keys, voucher) if voucher else ""
    if voucher and not problem:
        return
    found = findings(package, blobs)
    if found:
        told = "; ".join(f"{each.file}: {each.what}" for each in found[:_SHOWN])
        raise InvalidInput(
            f"The model's files would do harm when they are read. {told}. {problem}".strip(),
            hint="If you know what they do, vouch for them with a key that the project trusts (flyball models trust).",
            findings=[[each.file, each.what] for each in found[:100]],
        )


def findings(package: ModelPackage, blobs: Blobs) -> list[Finding]:
    """Why a package's files would do harm when they are read. Python's sources are code, and are not judged."""
    found: list[Finding] = []
    for name, digest in sorted(package.files.items()):
        if not name.endswith(_SOURCES):
            found += scan_file(name, blobs.get(digest))
    return found


def _check_voucher(package: ModelPackage, keys: Sequence[TrustedKey], voucher: str) -> str:
    """Why a voucher does not count; empty if it does."""
    # The id is what the client says; what was signed counts for these files alone.
    if package_id(package) != package.id:
        return "The package's id is not that of its content."
    name, _, made = voucher.partition(":")
    trusted = next((key for key in keys if key.key == name), None)
    if trusted is None:
        return f"The key {name[:16]} that vouches for it is not trusted here."
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = serialization.load_pem_public_key(trusted.public_key.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(base64.b64decode(made, validate=True), _vouched(package), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return "The voucher is not of this package."
    return ""


def _vouched(package: ModelPackage) -> bytes:
    return f"flyball package {package.id}".encode()
