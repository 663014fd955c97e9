"""What every object store promises, on a folder and on a real S3 service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.errors import Conflict, InvalidInput, MissingExtra, NotFound
from flyball.storage.local_objects import LocalObjects
from flyball.storage.object_store import ObjectStore, check_key, check_prefix, is_key
from flyball.storage.objects import open_objects

CLIMBING = [
    "..",
    "../up",
    "a/../../up",
    "a/..",
    "./a",
    "a/./b",
    "/etc/passwd",
    "//a",
    "a//b",
    "a/",
    "",
    ".",
    ".fresh/half",
    ".hidden",
    "a/.hidden",
    "..\\up",
    "a\\b",
    "%2e%2e/up",
    "%2e%2e%2fup",
    "..%2fup",
    "a\x00b",
    "a\nb",
    "a b",
    "c:a",
    "c:\\a",
    "~/a",
    "．．/up",  # noqa: RUF001 - full-width dots, which some systems fold into plain ones
    "é",
    "x" * 256,
    "/".join(["x" * 99] * 10),
]


def test_what_is_put_is_got(objects: ObjectStore) -> None:
    assert objects.put("a/b", b"\x00\xff")
    assert objects.get("a/b") == b"\x00\xff"


def test_a_file_is_put_and_fetched(objects: ObjectStore, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "from").write_bytes(content)
    objects.put("large", tmp_path / "from")
    objects.fetch("large", tmp_path / "to")
    assert (tmp_path / "to").read_bytes() == content


def test_an_object_may_be_empty(objects: ObjectStore) -> None:
    objects.put("empty", b"")
    found = objects.stat("empty")
    assert objects.get("empty") == b""
    assert found is not None
    assert found.size == 0


def test_a_put_replaces(objects: ObjectStore) -> None:
    objects.put("a", b"1")
    before = objects.stat("a")
    objects.put("a", b"22")
    after = objects.stat("a")
    assert objects.get("a") == b"22"
    assert before is not None
    assert after is not None
    assert (before.size, after.size) == (1, 2)
    assert before.etag != after.etag


def test_a_put_if_absent_keeps_what_is_there(objects: ObjectStore) -> None:
    assert objects.put("a", b"1", if_absent=True) is True
    assert objects.put("a", b"2", if_absent=True) is False
    assert objects.get("a") == b"1"


def test_of_many_puts_if_absent_one_wins(objects: ObjectStore) -> None:
    barrier = Barrier(8)

    def write(number: int) -> bool:
        barrier.wait()
        return objects.put("race", str(number).encode() * 1000, if_absent=True)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert won.count(True) == 1
    assert objects.get("race") == str(won.index(True)).encode() * 1000


def test_readers_see_the_old_or_the_new_and_never_a_mix(objects: ObjectStore) -> None:
    versions = [bytes([number]) * 200_000 for number in range(10)]
    objects.put("a", versions[0])

    def read(_: int) -> bytes:
        return objects.get("a")

    with ThreadPoolExecutor(4) as pool:
        writing = pool.submit(lambda: [objects.put("a", version) for version in versions])
        assert all(seen in versions for seen in pool.map(read, range(60)))
        writing.result()


def test_what_is_not_there_is_not_found(objects: ObjectStore, tmp_path: Path) -> None:
    assert objects.stat("none") is None
    with pytest.raises(NotFound):
        objects.get("none")
    with pytest.raises(NotFound):
        objects.fetch("none", tmp_path / "to")
    objects.delete("none")


def test_a_deleted_object_is_gone(objects: ObjectStore) -> None:
    objects.put("a/b", b"1")
    objects.delete("a/b")
    assert objects.stat("a/b") is None
    assert list(objects.list("")) == []


def test_a_list_is_sorted_and_begins_with_the_prefix(objects: ObjectStore) -> None:
    for key in ("log/b-2", "log/b-10", "log/a/1", "logs/x", "other"):
        objects.put(key, b"1")
    assert [item.key for item in objects.list("log/")] == ["log/a/1", "log/b-10", "log/b-2"]
    assert [item.key for item in objects.list("log/b-1")] == ["log/b-10"]
    assert [item.key for item in objects.list("log")] == ["log/a/1", "log/b-10", "log/b-2", "logs/x"]
    assert len(list(objects.list(""))) == 5
    assert list(objects.list("none/")) == []


def test_a_list_tells_what_stat_tells(objects: ObjectStore) -> None:
    objects.put("a/b", b"123")
    assert list(objects.list("a/")) == [objects.stat("a/b")]


@pytest.mark.parametrize("key", CLIMBING)
def test_no_key_climbs_out(objects: ObjectStore, key: str, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"secret")
    calls: list[Callable[[], object]] = [
        lambda: objects.get(key),
        lambda: objects.put(key, b"x"),
        lambda: objects.stat(key),
        lambda: objects.delete(key),
        lambda: objects.fetch(key, tmp_path / "to"),
    ]
    for call in calls:
        with pytest.raises(InvalidInput):
            call()
    assert (tmp_path / "up").read_bytes() == b"secret"


@pytest.mark.parametrize("prefix", ["..", "../", "/", "/etc/", "a/../", ".fresh/", "./", "a//"])
def test_no_prefix_climbs_out(objects: ObjectStore, prefix: str) -> None:
    with pytest.raises(InvalidInput):
        list(objects.list(prefix))


@given(st.text())
def test_a_key_never_leaves_its_folder(text: str) -> None:
    if is_key(text):
        assert check_key(text) == text
        assert check_prefix(text) == text
        assert Path("/kept", text).resolve().is_relative_to("/kept/")
        assert Path("/kept", text).as_posix() == f"/kept/{text}"


@given(st.from_regex(r"[a-c.]{1,3}(/[a-c.]{1,3}){0,3}", fullmatch=True))
def test_whatever_a_key_begins_with_is_a_prefix(text: str) -> None:
    if is_key(text):
        for end in range(len(text) + 1):
            check_prefix(text[:end])


def test_an_object_cannot_be_a_folder_too(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    objects.put("a/b", b"1")
    for if_absent in (False, True):
        with pytest.raises(Conflict):
            objects.put("a", b"1", if_absent=if_absent)
        with pytest.raises(Conflict):
            objects.put("a/b/c", b"1", if_absent=if_absent)
    assert objects.stat("a") is None
    assert objects.stat("a/b/c") is None
    objects.delete("a")
    objects.delete("a/b/c")
    assert [item.key for item in objects.list("")] == ["a/b"]


def test_what_others_lay_in_the_folder_is_not_listed(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    objects.put("a", b"1")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "with space").write_bytes(b"")
    assert [item.key for item in objects.list("")] == ["a"]


def test_nothing_is_left_of_a_put_that_lost(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    objects.put("a", b"1")
    objects.put("a", b"2", if_absent=True)
    with pytest.raises(FileNotFoundError):
        objects.put("b", tmp_path / "no such file")
    assert list((tmp_path / ".fresh").iterdir()) == []


def test_an_object_in_a_folder_cannot_be_written_by_accident(tmp_path: Path) -> None:
    LocalObjects(tmp_path).put("a", b"1")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o444


WRITER = """
import sys
from pathlib import Path
from flyball.storage.local_objects import LocalObjects
objects, number = LocalObjects(Path(sys.argv[1]), durable=False), 0
while True:
    objects.put(f"a/{number % 5}", bytes([number % 256]) * 2_000_000)
    number += 1
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_no_half(tmp_path: Path) -> None:
    for pause in (0.0, 0.003, 0.007, 0.011):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(6):
                writer.stdout.readline()
            time.sleep(pause)
            writer.send_signal(signal.SIGKILL)
        objects = LocalObjects(tmp_path)
        kept = [objects.get(item.key) for item in objects.list("")]
        assert len(kept) == 5
        assert all(len(data) == 2_000_000 and len(set(data)) == 1 for data in kept)


HALF = """
import os, signal, sys
from pathlib import Path
from flyball.storage.local_objects import LocalObjects
sync = os.fsync
def die(descriptor):
    sync(descriptor)
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = die
LocalObjects(Path(sys.argv[1])).put("a", b"whole", if_absent=sys.argv[2] == "True")
"""


@pytest.mark.parametrize("if_absent", [False, True])
def test_a_crash_before_the_rename_leaves_nothing_to_be_seen(tmp_path: Path, if_absent: bool) -> None:
    done = subprocess.run([sys.executable, "-c", HALF, tmp_path, str(if_absent)], check=False)
    assert done.returncode == -signal.SIGKILL
    objects = LocalObjects(tmp_path)
    assert objects.stat("a") is None
    assert list(objects.list("")) == []
    assert objects.put("a", b"second", if_absent=True)


def test_a_put_waits_for_the_disk_file_before_folder_before_the_folder_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink())))
    LocalObjects(tmp_path).put("a/b/c", b"1")
    assert synced[0].startswith(str(tmp_path / ".fresh"))
    assert synced[1:] == [str(tmp_path / "a" / "b"), str(tmp_path / "a"), str(tmp_path)]


def test_etags_of_quick_successors_differ(tmp_path: Path) -> None:
    objects, seen = LocalObjects(tmp_path, durable=False), []
    for number in range(50):
        objects.put("a", bytes([number]))
        found = objects.stat("a")
        assert found is not None
        seen.append(found.etag)
    assert all(before != after for before, after in pairwise(seen))


def test_a_location_opens_its_store(tmp_path: Path) -> None:
    assert isinstance(open_objects(str(tmp_path)), LocalObjects)


def test_a_foreign_location_is_refused() -> None:
    with pytest.raises(InvalidInput, match="gopher"):
        open_objects("gopher://bucket")


def test_s3_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flyball.storage.s3_objects", None)
    with pytest.raises(MissingExtra, match=r"flyball\[s3\]"):
        open_objects("s3://bucket")


def test_it_is_told_when_an_object_was_put(objects: ObjectStore) -> None:
    objects.put("a", b"1")
    found = objects.stat("a")
    assert found is not None
    assert found.modified is not None
    assert abs(found.modified.timestamp() - time.time()) < 60


def test_an_old_object_that_is_put_again_counts_as_new(tmp_path: Path) -> None:
    folder = LocalObjects(tmp_path, durable=False)
    folder.put("a", b"1", if_absent=True)
    os.utime(tmp_path / "a", (0, time.time() - 90_000))
    assert not folder.put("a", b"1", if_absent=True)
    assert time.time() - (tmp_path / "a").stat().st_mtime < 60


def test_a_young_object_that_is_put_again_stays_as_it_is(tmp_path: Path) -> None:
    folder = LocalObjects(tmp_path, durable=False)
    folder.put("a", b"1", if_absent=True)
    before = folder.stat("a")
    folder.put("a", b"1", if_absent=True)
    assert folder.stat("a") == before
