"""The seam of the key wrappers: a data key in, an encrypted one out, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from flyball.plugins import PluginGroup


class Wrapper(Protocol):
    """Encrypts the key of one secret, with a key that never stands in the database."""

    @property
    def key(self) -> str:
        """Name of the key that it encrypts with now, up to 64 characters."""
        ...

    def wrap(self, data_key: bytes, context: str) -> bytes:
        """The data key, encrypted; only with the same context it can be had again."""
        ...

    def unwrap(self, wrapped: bytes, context: str, key: str) -> bytes:
        """The data key that was encrypted under the key of that name.

        Raises:
            FlyballError: the key is not there, or it is not what was encrypted.
        """
        ...

    def renew(self) -> None:
        """Encrypts with a new key from now on; what was encrypted before can still be had.

        Raises:
            InvalidInput: keys are made elsewhere.
        """
        ...


class KeyWrapper(Protocol):
    """A kind of wrapper, found by its name."""

    def open(self, place: str, folder: Path) -> Wrapper:
        """A wrapper.

        Args:
            place: What stands behind its name in the setting `secrets_key`.
            folder: Where the workspace keeps its own keys.
        """
        ...


WRAPPERS: PluginGroup[KeyWrapper] = PluginGroup("key_wrappers", "flyball.governance.key_wrappers")
"""All kinds of wrappers."""
