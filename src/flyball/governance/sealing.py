"""Authenticated encryption: AES-256 in Galois/counter mode (NIST SP 800-38D), bound to what it is for."""

from __future__ import annotations

import os
from typing import Any

from flyball.errors import Corrupt, MissingExtra

_NONCE = 12


def seal(key: bytes, data: bytes, context: str) -> bytes:
    """The data, encrypted, with its nonce before it; only with the same context it can be opened."""
    nonce = os.urandom(_NONCE)
    sealed: bytes = _cipher(key).encrypt(nonce, data, context.encode())
    return nonce + sealed


def unseal(key: bytes, sealed: bytes, context: str) -> bytes:
    """What was sealed.

    Raises:
        Corrupt: it was changed, or sealed with another key or for something else.
    """
    from cryptography.exceptions import InvalidTag

    try:
        data: bytes = _cipher(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())
    except (InvalidTag, ValueError) as error:
        raise Corrupt("What is kept of the secret is not what was kept.", hint="Set it again.") from error
    return data


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtra("Secrets need their library.", hint="pip install 'flyball[login]'") from error
    return AESGCM(key)
