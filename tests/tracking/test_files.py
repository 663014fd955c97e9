from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.serialization import digest
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.files import Files

FOLDER = "logged-models/m-1"


@pytest.fixture
def files(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Files:
    return Files(database, blobs, events, clock)


def test_a_file_reads_back_as_it_was_put(files: Files) -> None:
    put = files.put(FOLDER, "model/weights.bin", digest(b"w"), 1)
    assert files.get(FOLDER, "model/weights.bin") == put


def test_a_file_of_the_same_name_is_replaced(files: Files) -> None:
    files.put(FOLDER, "a", digest(b"1"), 1)
    files.put(FOLDER, "a", digest(b"22"), 2)
    assert [found.size for found in files.list(FOLDER)] == [2]


def test_files_are_listed_by_folder_and_prefix_page_by_page(files: Files) -> None:
    for name in ("a", "a/x", "a/y", "A/x", "ab", "a%/x"):
        files.put(FOLDER, name, digest(b""), 0)
    files.put("traces/tr-1", "a/z", digest(b""), 0)
    assert {found.name for found in files.list(FOLDER, prefix="a")} == {"a", "a/x", "a/y"}
    first = files.list(FOLDER, limit=2)
    assert len(first + files.list(FOLDER, after=first[-1].name)) == 6


def test_files_are_deleted_by_prefix(files: Files) -> None:
    for name in ("a/x", "a/y", "ab"):
        files.put(FOLDER, name, digest(b""), 0)
    assert files.delete(FOLDER, "a") == 2
    assert [found.name for found in files.list(FOLDER)] == ["ab"]
    assert files.delete(FOLDER) == 1


def test_a_file_that_is_not_there_is_not_found(files: Files) -> None:
    with pytest.raises(NotFound):
        files.get(FOLDER, "a")


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a\\b", ".", "a/", "x" * 1001, "a\0", "\ud800"])
def test_a_name_cannot_climb(files: Files, name: str) -> None:
    with pytest.raises(InvalidInput):
        files.put(FOLDER, name, digest(b""), 0)
    with pytest.raises(InvalidInput):
        files.put(name, "a", digest(b""), 0)


def test_a_long_name_is_kept(files: Files) -> None:
    assert files.put(FOLDER, "x" * 1000, digest(b""), 0) == files.get(FOLDER, "x" * 1000)
