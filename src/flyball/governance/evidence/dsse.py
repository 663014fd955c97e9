"""Envelopes as the in-toto and SLSA projects have them: DSSE v1, with statements of in-toto v1 inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from flyball.errors import Corrupt
from flyball.serialization import canonical_json, from_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"

Sign = Callable[[bytes], tuple[str, str] | None]


def pre_authentication(kind: str, payload: bytes) -> bytes:
    """What is signed of an envelope: `PAE` of DSSE v1.

    >>> pre_authentication("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def envelope(statement: Mapping[str, Any], sign: Sign) -> dict[str, Any] | None:
    """A statement in a signed envelope; None where nothing can sign."""
    payload = canonical_json(statement)
    signed = sign(pre_authentication(PAYLOAD_TYPE, payload))
    if signed is None:
        return None
    key, signature = signed
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode("ascii"),
        "signatures": [{"keyid": key, "sig": base64.b64encode(bytes.fromhex(signature)).decode("ascii")}],
    }


def opened(found: Mapping[str, Any], verify: Callable[[bytes, bytes], bool]) -> dict[str, Any]:
    """The statement of an envelope that a trusted key has signed.

    Args:
        verify: Whether a signature of some bytes is good: signature, bytes.

    Raises:
        Corrupt: it is no such envelope, or nobody trusted has signed it.
    """
    try:
        payload, kind = base64.b64decode(found["payload"], validate=True), str(found["payloadType"])
        signatures = [base64.b64decode(each["sig"], validate=True) for each in found["signatures"]]
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt("This is no signed envelope.") from error
    signed = pre_authentication(kind, payload)
    if kind != PAYLOAD_TYPE or not any(verify(signature, signed) for signature in signatures):
        raise Corrupt("No trusted key has signed the envelope.", hint="Check which key it is: keyid.")
    return from_json(payload, dict[str, Any])


def subject(name: str, data: bytes, **digests: str) -> dict[str, Any]:
    """What a statement is about: a name, and SHA-256 of its bytes beside other digests."""
    return {"name": name, "digest": {"sha256": hashlib.sha256(data).hexdigest(), **digests}}
