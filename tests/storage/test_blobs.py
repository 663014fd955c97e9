"""Blobs are named by their bytes, so damage shows."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.serialization import digest
from flyball.storage.local_objects import LocalObjects
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import Blobs, check_digest, digest_file

NONE = "0" * 64


class Elsewhere:
    """A store that is not a folder as far as blobs can tell."""

    def __init__(self, store: ObjectStore) -> None:
        self.put, self.get, self.fetch = store.put, store.get, store.fetch
        self.stat, self.list, self.delete = store.stat, store.list, store.delete


@pytest.fixture
def many(objects: ObjectStore) -> Blobs:
    return Blobs(objects)


def test_the_name_is_the_digest_of_the_bytes(many: Blobs) -> None:
    assert many.put(b"hello") == digest(b"hello") == "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"


def test_a_blob_comes_back(many: Blobs) -> None:
    name = many.put(b"hello")
    assert many.get(name) == b"hello"
    assert many.path(name).read_bytes() == b"hello"
    assert many.has(name)
    assert many.size(name) == 5


def test_equal_bytes_are_kept_once(many: Blobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    assert many.put(b"hello") == many.put(b"hello") == many.put_file(tmp_path / "file")
    assert len(list(many.store.list("blobs/"))) == 1


def test_a_large_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    content = b"flyball" * 500_000
    (tmp_path / "file").write_bytes(content)
    assert digest_file(tmp_path / "file") == digest(content)


def test_an_empty_file_has_a_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert digest_file(tmp_path / "file") == digest(b"")


def test_what_is_not_kept_is_not_found(many: Blobs) -> None:
    assert not many.has(NONE)
    for call in (many.get, many.path, many.size):
        with pytest.raises(NotFound, match="000000000000"):
            call(NONE)
    many.delete(NONE)


def test_a_deleted_blob_is_gone(many: Blobs) -> None:
    name = many.put(b"hello")
    many.delete(name)
    assert not many.has(name)


@pytest.mark.parametrize(
    "name", ["", "abc", "../" * 20 + "etc/passwd", "A" * 64, "g" * 64, f"{NONE}\n", None, b"0" * 64]
)
def test_what_is_no_digest_is_refused(many: Blobs, name: str) -> None:
    for call in (many.get, many.path, many.has, many.size, many.delete):
        with pytest.raises(InvalidInput):
            call(name)


@given(st.text())
def test_only_digests_pass(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_digest(text)


def test_damaged_bytes_are_found_out(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path)
    blobs = Blobs(store)
    name = blobs.put(b"hello")
    store.put(f"blobs/{name[:2]}/{name}", b"hellp")
    with pytest.raises(Corrupt) as caught:
        blobs.get(name)
    assert caught.value.facts == {"digest": name}


def test_damaged_bytes_are_found_out_before_they_become_a_file(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path / "kept")
    blobs = Blobs(Elsewhere(store), tmp_path / "cache")
    name = blobs.put(b"hello")
    store.put(f"blobs/{name[:2]}/{name}", b"hell")
    with pytest.raises(Corrupt):
        blobs.path(name)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_fetched_blob_is_fetched_once(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path / "kept")
    blobs = Blobs(Elsewhere(store), tmp_path / "cache")
    name = blobs.put(b"hello")
    path = blobs.path(name)
    store.delete(f"blobs/{name[:2]}/{name}")
    assert path.is_relative_to(tmp_path / "cache")
    assert blobs.path(name).read_bytes() == b"hello"


def test_many_may_fetch_a_blob_at_once(tmp_path: Path) -> None:
    blobs = Blobs(Elsewhere(LocalObjects(tmp_path / "kept")), tmp_path / "cache")
    name = blobs.put(b"hello" * 100_000)
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(blobs.path, [name] * 16))
    assert len(paths) == 1
    assert digest_file(paths.pop()) == name


def test_without_a_cache_the_copies_go_with_the_value(tmp_path: Path) -> None:
    blobs = Blobs(Elsewhere(LocalObjects(tmp_path / "kept")))
    path = blobs.path(blobs.put(b"hello"))
    assert path.parents[1].stat().st_mode & 0o077 == 0
    del blobs
    gc.collect()
    assert not path.exists()
