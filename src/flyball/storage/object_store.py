"""What a store of named objects offers, wherever the bytes rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from flyball.errors import InvalidInput

# No part begins with a dot: nothing climbs, and what stores keep for themselves stays out of reach.
_PART = r"[A-Za-z0-9_=@-][A-Za-z0-9_=@.-]{0,254}"
_KEY = re.compile(rf"{_PART}(/{_PART})*")
_PREFIX = re.compile(rf"({_PART}/)*({_PART})?")
_LONGEST = 900

FRESH_FOR = timedelta(days=1)
"""An object that is put again is as good as new from this age on: who cleans up may not take it from under its new owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStat:
    """What is known of an object without reading it.

    Attributes:
        modified: When it was last put, by the store's own clock; also a put that found it there counts, if the last one was
            more than a day before. None where the store does not say.
    """

    key: str
    size: int
    etag: str
    modified: datetime | None = None


class ObjectStore(Protocol):
    """A place for named bytes. A put is seen whole or not at all."""

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Writes an object, durably; with `if_absent`, False and no write if the key exists."""
        ...

    def get(self, key: str) -> bytes:
        """All bytes of an object; NotFound if there is none."""
        ...

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to a local file; NotFound if there is none."""
        ...

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object; None if there is none."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects whose key begins with the prefix, sorted by key; what is not a key is left out."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object; nothing happens if there is none."""
        ...


@runtime_checkable
class MovesMany(Protocol):
    """A store to and from which many small objects go faster together than one by one."""

    def get_many(self, keys: Sequence[str]) -> list[bytes]:
        """All bytes of several objects; NotFound if one of them is not there."""
        ...

    def put_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Writes objects, durably; those whose keys exist are left as they are."""
        ...


def check_key(key: str) -> str:
    """Gives the key back if it may name an object.

    Raises:
        InvalidInput: it is empty, absolute, too long, holds odd characters or a part that begins with a dot.
    """
    if not is_key(key):
        raise InvalidInput(f"{key[:80]!r} cannot be the key of an object.")
    return key


def is_key(text: str) -> bool:
    """Whether the text may name an object."""
    return len(text) <= _LONGEST and _KEY.fullmatch(text) is not None


def check_prefix(prefix: str) -> str:
    """Gives the prefix back if keys may begin with it; the empty one stands for all.

    Raises:
        InvalidInput: no key begins like this.
    """
    if len(prefix) > _LONGEST or not _PREFIX.fullmatch(prefix):
        raise InvalidInput(f"{prefix[:80]!r} cannot be the prefix of a key.")
    return prefix
