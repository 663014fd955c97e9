"""Blobs that nothing refers to any more.

Whatever looks like a digest counts as a reference, wherever it stands: in any text column of any table, whether or not this
process knows the room it belongs to; in objects that are found without a database, such as deployment manifests; in the bytes of
blobs that are kept, such as lists of files and results of steps. A room that keeps digests has nothing to do for it, and one
that is added later is safe from its first day. What was put lately is never taken: it may belong to what is not written yet.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from flyball.errors import NotFound
from flyball.storage.object_store import ObjectStat, ObjectStore
from flyball.storage.references import text_columns

BLOBS = "blobs/"
_LENGTH = 64
# What is larger than this is data; lists of digests that large stand in the database.
_LARGEST_LIST = 8 << 20
_SEGMENTS = "predictions/"
_HEX = re.compile(rb"[0-9a-f]{64,}")
_INLINE = re.compile(r'"inline":"([A-Za-z0-9+/=]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a look at all blobs gave.

    Attributes:
        unreferred: Blobs that are old enough and that nothing refers to.
        young: How many nothing refers to as well, but that were put lately.
    """

    unreferred: list[ObjectStat]
    young: int


def look(
    connection: sa.Connection,
    store: ObjectStore,
    older_than: datetime,
    *,
    leave_out: Mapping[str, sa.ColumnElement[bool]] | None = None,
) -> Sweep:
    """The blobs that nothing refers to.

    Args:
        older_than: Only those that were put before.
        leave_out: Rows that do not count: a condition on bare columns (`sa.column(...)`), by the table's name.
    """
    # The blobs are listed first: what is put and referred to meanwhile is not on the list.
    blobs = {_digest(item.key): item for item in store.list(BLOBS) if len(_digest(item.key)) == _LENGTH}
    loose = set(blobs)
    loose -= _in_database(connection, loose, leave_out or {})
    loose -= _in_objects(store, loose)
    # What a young blob names is kept with it.
    old = {name for name in loose if _is_older(blobs[name], older_than)}
    found = old - _in_blobs(store, blobs, old)
    return Sweep(unreferred=sorted((blobs[name] for name in found), key=lambda item: item.key), young=len(loose - old))


def remove(store: ObjectStore, items: Iterable[ObjectStat], older_than: datetime) -> Iterator[ObjectStat]:
    """Removes blobs, and gives those that were; one that was put again since the look stays."""
    for item in items:
        now = store.stat(item.key)
        if now is not None and _is_older(now, older_than):
            store.delete(item.key)
            yield item


def _in_database(
    connection: sa.Connection, digests: set[str], leave_out: Mapping[str, sa.ColumnElement[bool]]
) -> set[str]:
    found: set[str] = set()
    for table, column, length in text_columns(connection):
        if not digests - found:
            break
        value = sa.column(column, sa.String)
        query = sa.select(value).select_from(sa.table(table)).where(sa.func.length(value) >= _LENGTH)
        if table in leave_out:
            query = query.where(~leave_out[table])
        query = query.distinct() if length == _LENGTH else query
        for text in connection.execute(query, execution_options={"yield_per": 1000}).scalars():
            found |= _named_in(text.encode("utf-8", "replace"), digests)
            for inline in _INLINE.findall(text):
                found |= _named_in(_decoded(inline), digests)
    return found


def _in_objects(store: ObjectStore, digests: set[str]) -> set[str]:
    if not digests:
        return set()
    others = (item for item in store.list("") if not item.key.startswith((BLOBS, _SEGMENTS)))
    found: set[str] = set()
    for item in others:
        if item.size <= _LARGEST_LIST:
            found |= _named_in(_bytes(store, item.key), digests)
    return found


def _in_blobs(store: ObjectStore, blobs: Mapping[str, ObjectStat], digests: set[str]) -> set[str]:
    """Those of the digests that kept blobs name, and those that these name, and so on."""
    if not digests:
        return set()
    found: set[str] = set()
    waiting = [name for name in blobs if name not in digests]
    while waiting:
        item = blobs[waiting.pop()]
        if item.size > _LARGEST_LIST or item.size < _LENGTH or not digests - found:
            continue
        new = _named_in(_bytes(store, item.key), digests) - found
        found |= new
        waiting += new
    return found


def _named_in(data: bytes, digests: set[str]) -> set[str]:
    found: set[str] = set()
    for match in _HEX.finditer(data):
        run = match[0].decode()
        # A digest may stand in the middle of a longer number.
        found.update(
            part for part in (run[at : at + _LENGTH] for at in range(len(run) - _LENGTH + 1)) if part in digests
        )
    return found


def _bytes(store: ObjectStore, key: str) -> bytes:
    try:
        return store.get(key)
    except NotFound:  # removed since it was listed
        return b""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _is_older(item: ObjectStat, moment: datetime) -> bool:
    return item.modified is not None and item.modified < moment


def _digest(key: str) -> str:
    return key.rpartition("/")[2]
