"""Manifests in signed envelopes: who follows one across a network can tell that it is the control plane's own.

The envelope is one of DSSE 1.0 (Dead Simple Signing Envelope), signed with Ed25519 (RFC 8032). A manifest without one is plain
JSON; servers that trust keys take none such.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flyball.errors import Corrupt, FlyballError, InvalidInput, MissingExtra, NotFound, PermissionDenied
from flyball.serialization import from_json, to_json
from flyball.serving.manifest import Manifest

PAYLOAD_TYPE = "application/vnd.flyball.manifest+json"
_LARGEST = 16 << 20


class Signer(Protocol):
    """Who signs manifests."""

    def sign(self, data: bytes) -> tuple[str, bytes] | None:
        """The id of the key and its signature; None where nothing can be signed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSignature:
    """A signature, in base64, and the id of its key."""

    keyid: str
    sig: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A manifest with signatures.

    Attributes:
        payload: The manifest's JSON in base64: exactly the bytes that were signed.
    """

    payloadType: str  # noqa: N815  # as the standard names it
    payload: str
    signatures: tuple[EnvelopeSignature, ...]


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key whose manifests are taken.

    Attributes:
        id: SHA-256 of its 32 bytes, in hexadecimal.
    """

    id: str
    key: Any


def write_manifest(manifest: Manifest, signer: Signer | None = None) -> bytes:
    """The manifest as it stands in a store: in a signed envelope where somebody can sign."""
    payload = to_json(manifest)
    made = signer.sign(signed_bytes(payload)) if signer is not None else None
    if made is None:
        return payload
    signature = EnvelopeSignature(keyid=made[0], sig=base64.b64encode(made[1]).decode())
    return to_json(
        Envelope(
            payloadType=PAYLOAD_TYPE, payload=base64.b64encode(payload).decode(), signatures=(signature,)
        )
    )  # fmt: skip


def read_manifest(data: bytes, trusted: Sequence[TrustedKey] = ()) -> Manifest:
    """The manifest that stands in a store.

    Args:
        trusted: Keys one of which must have signed it; none: it is taken from anybody.

    Raises:
        PermissionDenied: no trusted key has signed it.
        Corrupt: its signature is not of what it holds.
        InvalidInput: it is no manifest.
    """
    if len(data) > _LARGEST:
        raise InvalidInput(f"The manifest has {len(data):,} bytes.")
    if not is_envelope(data):
        if trusted:
            raise PermissionDenied(
                "The manifest is not signed.", hint="Sign it: the control plane needs 'flyball[signing]'."
            )
        return from_json(data, Manifest)
    envelope = from_json(data, Envelope)
    try:
        payload = base64.b64decode(envelope.payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The manifest's envelope cannot be read.") from error
    if envelope.payloadType != PAYLOAD_TYPE:
        raise InvalidInput(f"The envelope holds {envelope.payloadType[:80]!r}, no manifest.")
    if trusted:
        _check(envelope, payload, trusted)
    return from_json(payload, Manifest)


def is_envelope(data: bytes) -> bool:
    """Whether a manifest stands in a signed envelope."""
    return b'"payloadType"' in data[:200]


def read_keys(paths: Sequence[Path]) -> tuple[TrustedKey, ...]:
    """The public keys in PEM files.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it holds no public key of Ed25519.
        MissingExtra: the library that verifies is not installed.
    """
    if not paths:
        return ()
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise MissingExtra("Verifying manifests needs its library.", hint="pip install 'flyball[signing]'") from error
    found = []
    for path in paths:
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except OSError:
            raise NotFound(
                f"There is no key {path}.", hint="Copy keys/manifest.pub of the control plane's workspace."
            ) from None
        except ValueError as error:
            raise InvalidInput(f"{path} holds no public key.") from error
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidInput(f"{path} is no key of Ed25519.", hint="Manifests are signed with keys/manifest.key.")
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        found.append(TrustedKey(key_id(raw), key))
    return tuple(found)


def key_id(raw: bytes) -> str:
    """The id of a public key of 32 bytes."""
    return hashlib.sha256(raw).hexdigest()


def signed_bytes(payload: bytes) -> bytes:
    """What is signed: the payload with its type, so that it cannot be taken for something else (DSSE's PAE)."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _check(envelope: Envelope, payload: bytes, trusted: Sequence[TrustedKey]) -> None:
    from cryptography.exceptions import InvalidSignature

    by_id = {key.id: key.key for key in trusted}
    problem: FlyballError = PermissionDenied(
        "The manifest is signed by no key that is trusted here.", hint="Name the control plane's key with --trust."
    )
    for each in envelope.signatures:
        if each.keyid not in by_id:
            continue
        try:
            by_id[each.keyid].verify(base64.b64decode(each.sig, validate=True), signed_bytes(payload))
            return
        except (InvalidSignature, binascii.Error, ValueError):
            problem = Corrupt("The manifest is not what was signed.")
    raise problem
