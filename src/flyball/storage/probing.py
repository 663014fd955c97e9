"""Whether an object store keeps what it says: a name that is put once stays as it was put, and what was put is found.

Blobs and manifests rest on that. There are services that take a conditional put and overwrite all the same; such a one is
refused.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

from flyball.errors import NotFound, StorageFailed
from flyball.refs import new_id
from flyball.storage.object_store import ObjectStore

_AT_ONCE = 8


def check_store(store: ObjectStore) -> None:
    """Makes sure that a store keeps what it says.

    Raises:
        StorageFailed: it does not.
    """
    found = probe(store)
    if found:
        raise StorageFailed(
            f"The object store cannot be used: {found[0]}.",
            hint="Use one with conditional puts (If-None-Match), such as S3, Ceph or MinIO, or a folder.",
        )


def probe(store: ObjectStore) -> list[str]:
    """What a store does not keep of what it says; nothing if it keeps all. It leaves nothing behind."""
    folder = f"probe/{new_id()}"
    try:
        return [
            why for why in (_put_once(store, folder), _put_at_once(store, folder), _put_again(store, folder)) if why
        ]
    finally:
        for item in list(store.list(f"{folder}/")):
            with contextlib.suppress(NotFound):
                store.delete(item.key)


def _put_once(store: ObjectStore, folder: str) -> str:
    key = f"{folder}/once"
    if not store.put(key, b"first", if_absent=True):
        return "it says that a name is taken which nobody has put"
    if store.put(key, b"other", if_absent=True):
        return "it puts a name again that is to be put once"
    return "" if store.get(key) == b"first" else "it says that a name was left as it is, and overwrote it"


def _put_at_once(store: ObjectStore, folder: str) -> str:
    key = f"{folder}/together"
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        won = list(pool.map(lambda number: store.put(key, b"%d" % number, if_absent=True), range(_AT_ONCE)))
    if won.count(True) != 1:
        return f"{won.count(True)} of {_AT_ONCE} at once were told that they had put the same name"
    return (
        ""
        if store.get(key) == b"%d" % won.index(True)
        else "of those who put a name at once another one won than was told"
    )


def _put_again(store: ObjectStore, folder: str) -> str:
    key = f"{folder}/again"
    for data in (b"one", b"two and more"):
        store.put(key, data)
        found = store.stat(key)
        if store.get(key) != data or found is None or found.size != len(data):
            return "it gives old bytes after new ones were put"
    if key not in [item.key for item in store.list(f"{folder}/")]:
        return "it does not list what was put"
    store.delete(key)
    if store.stat(key) is not None or key in [item.key for item in store.list(f"{folder}/")]:
        return "it still shows what was removed"
    return ""
