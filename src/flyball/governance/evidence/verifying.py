"""Verifies a bundle of evidence far from the server: with its files and the public key alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, NotFound
from flyball.governance.audit_keys import key_id, public_bytes, read_public
from flyball.governance.evidence.dsse import opened
from flyball.serialization import from_json

SEALED = "evidence.dsse.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """A bundle that is what was signed.

    Attributes:
        key: SHA-256 of the public key that signed it.
        about: Model, version and package that it is about.
    """

    key: str
    files: tuple[str, ...]
    about: dict[str, Any]


def verify_bundle(folder: Path, key: Path | None = None) -> VerifiedBundle:
    """Makes sure that a trusted key has signed the bundle, and that every file in it is what was signed.

    Args:
        key: The public key that you trust; by default the one that lies in the bundle, which proves only that it is whole.

    Raises:
        NotFound: there is no bundle, or no key.
        Corrupt: a file was changed, added or removed, or the key did not sign it; the message names it.
    """
    if not (folder / SEALED).is_file():
        raise NotFound(
            f"There is no {SEALED} in {folder}.", hint="Make a bundle with `flyball evidence VERSION --output FOLDER`."
        )
    trusted = read_public(key or folder / "key.pub")
    statement = _open(folder / SEALED, trusted)
    named = {str(each["name"]): str(each["digest"]["sha256"]) for each in statement["subject"]}
    for name, digest in named.items():
        path = folder / name
        if path.parent != folder or not path.is_file():
            raise Corrupt(f"{name} is gone.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise Corrupt(f"{name} is not what was signed.")
    added = sorted({path.name for path in folder.iterdir()} - set(named) - {SEALED, "key.pub"})
    if added:
        raise Corrupt(f"{added[0]} was added after it was signed.")
    if "provenance.dsse.json" in named:
        _open(folder / "provenance.dsse.json", trusted)
    return VerifiedBundle(
        key=key_id(public_bytes(trusted)), files=tuple(sorted(named)), about=dict(statement["predicate"])
    )


def _open(path: Path, trusted: Any) -> dict[str, Any]:
    from cryptography.exceptions import InvalidSignature

    def is_good(signature: bytes, data: bytes) -> bool:
        try:
            trusted.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return opened(from_json(path.read_bytes(), dict[str, Any]), is_good)
