"""Files of records: nothing half, nothing twice, nothing taken from a process that lives."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.tracking import spool as spool_module
from flyball.tracking.spool import Part, Position, Spool, new_header, processes, take


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool", new_header())
    yield made
    made.close()


def read(spool: Spool, start: Position = (0, 0)) -> list[bytes]:
    return [record.payload for record in spool.read(start, 1_000_000)]


def file_of(spool: Spool) -> Path:
    (path,) = spool.folder.glob("*.spool")
    return path


def left(folder: Path) -> list[bytes]:
    (process,) = processes(folder)
    leftover = take(folder, process)
    assert leftover is not None
    found = [record.payload for record in leftover.records()]
    leftover.close()
    return found


def test_records_come_back_in_their_order(spool: Spool) -> None:
    for word in (b"one", b"", b"three" * 100_000):
        spool.append(word)
    assert read(spool) == [b"one", b"", b"three" * 100_000]


@given(st.lists(st.binary(max_size=300), max_size=30), st.integers(40, 400))
def test_any_records_come_back_over_any_number_of_parts(
    tmp_path_factory: pytest.TempPathFactory, words: list[bytes], part_size: int
) -> None:
    made = Spool(tmp_path_factory.mktemp("spool"), new_header(), part_size=part_size)
    for word in words:
        made.append(word)
    assert read(made) == words
    made.close()


def test_reading_goes_on_where_it_was(spool: Spool) -> None:
    spool.append(b"one")
    spool.append(b"two")
    (first,) = spool.read((0, 0), 1)
    spool.append(b"three")
    assert read(spool, first.end) == [b"two", b"three"]


def test_nothing_is_on_the_disk_before_the_first_record(spool: Spool) -> None:
    assert not spool.folder.exists()
    assert spool.is_empty


def test_what_was_acknowledged_is_not_left(spool: Spool) -> None:
    spool.append(b"one")
    spool.append(b"two")
    (first,) = spool.read((0, 0), 1)
    spool.acknowledge(first.end)
    assert not spool.is_empty
    spool.close()
    assert left(spool.folder) == [b"two"]


def test_the_files_go_when_all_is_acknowledged(spool: Spool) -> None:
    spool.append(b"one")
    assert not spool.clear()
    spool.acknowledge(spool.end)
    assert spool.clear()
    assert list(spool.folder.iterdir()) == []
    spool.append(b"two")
    assert read(spool) == [b"two"]


def test_parts_that_were_acknowledged_go(tmp_path: Path) -> None:
    made = Spool(tmp_path, new_header(), opening=lambda: b"still here", part_size=100)
    for number in range(20):
        made.append(b"%d" % number * 20)
    assert len(list(tmp_path.glob("*.spool"))) > 5
    made.acknowledge(made.end)
    assert len(list(tmp_path.glob("*.spool"))) == 1
    made.close()


def test_every_part_begins_with_the_opening(tmp_path: Path) -> None:
    made = Spool(tmp_path, new_header(), opening=lambda: b"opening", part_size=100)
    for _ in range(3):
        made.append(b"x" * 100)
    assert read(made) == [b"opening", b"x" * 100] * 3
    made.close()


@pytest.mark.parametrize("kept", range(1, 12))
def test_a_record_that_was_cut_off_is_left_out(spool: Spool, kept: int) -> None:
    spool.append(b"whole")
    end = spool.end[1]
    spool.append(b"torn")
    spool.close()
    os.truncate(file_of(spool), end + kept)
    assert left(spool.folder) == [b"whole"]


def test_a_record_that_was_damaged_is_not_believed(spool: Spool) -> None:
    spool.append(b"whole")
    end = spool.end[1]
    spool.append(b"damaged")
    spool.close()
    path = file_of(spool)
    data = bytearray(path.read_bytes())
    data[end + 9] ^= 1
    path.write_bytes(data)
    assert left(spool.folder) == [b"whole"]


@pytest.mark.parametrize("data", [b"", b"fbspool1", b"something else entirely, long enough"])
def test_a_file_that_is_none_of_ours_is_put_aside(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "strange-000000.spool"
    path.write_bytes(data)
    assert take(tmp_path, "strange") is None
    assert processes(tmp_path) == []
    assert path.with_suffix(".damaged").read_bytes() == data


def test_a_living_process_keeps_its_files(spool: Spool) -> None:
    spool.append(b"mine")
    assert take(spool.folder, spool.header.process) is None


def test_one_takes_what_a_dead_process_left(spool: Spool) -> None:
    spool.append(b"mine")
    spool.close()
    first = take(spool.folder, spool.header.process)
    assert first is not None
    assert take(spool.folder, spool.header.process) is None
    first.close(remove=True)
    assert processes(spool.folder) == []


def test_the_file_of_a_killed_process_is_free_and_whole(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from flyball.tracking.spool import Spool, new_header
spool = Spool(Path(sys.argv[1]), new_header())
number = 0
while True:
    spool.append(b"%d" % number)
    print(number, flush=True)
    number += 1
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line == "2000\n":
            break
    (name,) = processes(tmp_path)
    assert take(tmp_path, name) is None
    process.send_signal(signal.SIGKILL)
    last = int((process.stdout.read().split("\n")[:-1] or ["2000"])[-1])
    process.communicate()
    found = left(tmp_path)
    assert found[: last + 1] == [b"%d" % number for number in range(last + 1)]
    assert len(found) <= last + 2


def test_a_child_of_a_fork_does_not_keep_its_parents_files(spool: Spool) -> None:
    spool.append(b"the parent's")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        spool.forget()
        os.write(writing, b"!")
        signal.pause()
        os._exit(0)
    try:
        assert os.read(reading, 1) == b"!"
        spool.append(b"and more")
        spool.close()
        assert left(spool.folder) == [b"the parent's", b"and more"]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_threads_do_not_mix_their_records(spool: Spool) -> None:
    def write(letter: bytes) -> None:
        for _ in range(500):
            spool.append(letter * 50)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(spool)
    assert sorted(found) == sorted([letter * 50 for letter in (b"a", b"b", b"c", b"d") for _ in range(500)])


def test_a_full_disk_holds_records_in_memory_until_there_is_room(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    spool.append(b"before")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # The limit stands in the middle of the next record, so the first part of it is written and the rest is not.
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.end[1] + 5, old[1]))
    try:
        spool.append(b"while it is full")
        spool.append(b"and again")
        assert read(spool) == [b"before"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert "held in memory" in caplog.text
    assert not spool.is_empty
    assert read(spool) == [b"before", b"while it is full", b"and again"]
    spool.append(b"after")
    assert read(spool)[-1] == b"after"
    assert "takes again" in caplog.text


def test_more_than_memory_should_hold_is_refused(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Part):
        def append(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool_module, "Part", Full)
    monkeypatch.setattr(spool_module, "_MOST_HELD", 1000)
    spool.append(b"x" * 500)
    with pytest.raises(OSError, match="neither be written to the disk nor sent"):
        spool.append(b"x" * 500)
    assert spool.take_held() == [b"x" * 500]


def test_calls_that_wait_for_the_disk_together_share_one_wait(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    first = threading.Event()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        waits.append(descriptor)
        first.wait(5)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)

    def write() -> None:
        spool.append(b"x")
        spool.sync()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(read(spool)) < 8:
        pass
    first.set()
    for thread in threads:
        thread.join()
    assert len(waits) <= 3
