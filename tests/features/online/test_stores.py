"""What every kind of online store does."""

from __future__ import annotations

import random
import threading
from contextlib import closing
from pathlib import Path

import pytest

from flyball.errors import InvalidInput, ServerUnreachable
from flyball.features.online.base import ONLINE, Cell, KeyedCell, OnlineStore, QuickStore, open_online

BIG = 2**62


def cell(key: bytes = b"a", time: int = 1, created: int = 1, value: bytes = b"x") -> KeyedCell:
    return KeyedCell(key, time, created, value)


def one(store: OnlineStore, slot: int, key: bytes = b"a") -> tuple[int, int, bytes] | None:
    found = store.read([(slot, key)])[0]
    return None if found is None else (found[0], found[1], found[2])


def test_what_is_written_is_read_under_its_slot_and_key(online: OnlineStore) -> None:
    first, second = online.slot("weather@1"), online.slot("wind@1")
    assert online.write(first, [cell(value=b"\x00\xff"), cell(b"b", -BIG, BIG)]) == 2
    assert one(online, first) == (1, 1, b"\x00\xff")
    assert online.read([(first, b"b"), (second, b"a"), (first, b"zz"), (first, b"a")]) == [
        (-BIG, BIG, b"x"), None, None, (1, 1, b"\x00\xff"),
    ]  # fmt: skip
    assert online.slot("weather@1") == first == online.find("weather@1") != second
    assert online.find("rain@1") is None
    assert online.read([]) == []


def test_an_older_row_never_overwrites_a_newer_one(online: OnlineStore) -> None:
    slot = online.slot("v")
    online.write(slot, [cell(time=5, created=5, value=b"new")])
    assert online.write(slot, [cell(time=4, created=9, value=b"old"), cell(time=5, created=4, value=b"old")]) == 0
    assert one(online, slot) == (5, 5, b"new")
    assert online.write(slot, [cell(time=5, created=6, value=b"corrected")]) == 1
    assert online.write(slot, [cell(time=5, created=6, value=b"again")]) == 1
    assert one(online, slot) == (5, 6, b"again")
    assert online.write(slot, [cell(time=-3, created=0), cell(b"neg", -3, 0, b"1"), cell(b"neg", -4, 0, b"2")]) == 1
    assert one(online, slot, b"neg") == (-3, 0, b"1")


def test_many_keys_are_read_at_once(online: OnlineStore) -> None:
    slot = online.slot("v")
    online.write(slot, [cell(b"key%d" % n, n, n, b"%d" % n) for n in range(2500)])
    keys = [b"key%d" % n for n in range(2499, -1, -1)]
    assert [found and found[0] for found in online.read([(slot, key) for key in keys])] == list(range(2499, -1, -1))
    assert len(online.scan(slot, 10_000)) == 2500
    assert len(online.scan(slot, 100)) == 100


def test_keys_may_be_long_and_of_any_bytes(online: OnlineStore) -> None:
    slot = online.slot("v")
    keys = [b"\x00" * 3, b"*?[x]", b"k" * 5000, b"k" * 5001, b"'; DROP"]
    online.write(slot, [cell(key, value=key[:4]) for key in keys])
    assert [found and found[2] for found in online.read([(slot, key) for key in keys])] == [key[:4] for key in keys]


@pytest.mark.parametrize("online_url", ["lmdb"], indirect=True)
def test_a_quick_store_gives_the_cells_of_a_span_of_time_alone(online: OnlineStore) -> None:
    assert isinstance(online, QuickStore)
    slot = online.slot("v")
    times = {b"old": 9, b"first": 10, b"last": 20, b"late": 21, b"k" * 5000: 15, b"before 1970": -5}
    online.write(slot, [cell(key, time=time, value=key[:4]) for key, time in times.items()])
    found = online.fresh(slot, [*times, b"none"], 10, 20, bytes.upper)
    assert found == [None, b"FIRS", b"LAST", None, b"KKKK", None, None]
    assert online.fresh(slot, [b"first", b"before 1970"], -(1 << 63), 20, bytes.upper) == [b"FIRS", None]


def test_cells_are_removed_one_by_one_and_all_together(online: OnlineStore) -> None:
    slot, other = online.slot("v"), online.slot("w")
    for number in (slot, other):
        online.write(number, [cell(b"a"), cell(b"b"), cell(b"c")])
    assert online.delete(slot, [b"a", b"zz"]) == 1
    assert one(online, slot) is None
    online.drop("v")
    online.drop("never")
    assert online.find("v") is None
    assert one(online, slot, b"b") is None
    assert one(online, other, b"b") is not None
    again = online.slot("v")
    assert again != slot
    assert online.scan(again, 10) == []


def test_a_fold_sees_what_stands_there(online: OnlineStore) -> None:
    slot = online.slot("v")

    def add(found: Cell | None) -> Cell | None:
        return Cell(1, 1, b"1") if found is None else Cell(2, 2, found.value + b"1")

    online.fold(slot, [(b"a", add), (b"a", add), (b"b", add)])
    assert one(online, slot) == (2, 2, b"11")
    online.fold(slot, [(b"b", lambda _: None)])
    assert one(online, slot, b"b") is None


def test_notes_are_kept(online: OnlineStore) -> None:
    assert online.note("fresh") == b""
    online.set_note("fresh", b"\x00 1")
    online.set_note("fresh", b"\x00 2")
    assert online.note("fresh") == b"\x00 2"


def test_writers_at_the_same_time_leave_the_newest(online: OnlineStore, online_url: str) -> None:
    slot = online.slot("v")

    def write(seed: int) -> None:
        store, order = open_online(online_url), random.Random(seed)
        for _ in range(40):
            times = [order.randrange(1000) for _ in range(5)]
            store.write(slot, [cell(b"k%d" % (n % 2), time, 0, b"%d" % time) for n, time in enumerate(times)])
        with closing(store):
            store.fold(slot, [(b"count", lambda found: Cell(0, 0, b"1" + (found.value if found else b"")))] * 20)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    best: dict[int, int] = {}
    for seed in range(4):
        order = random.Random(seed)
        for _ in range(40):
            for n, time in enumerate([order.randrange(1000) for _ in range(5)]):
                best[n % 2] = max(best.get(n % 2, 0), time)
    for n, time in best.items():
        assert one(online, slot, b"k%d" % n) == (time, 0, b"%d" % time)
    counted = one(online, slot, b"count")
    assert counted is not None
    assert len(counted[2]) == 80


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0",
        "postgresql+psycopg://nobody@127.0.0.1:1/none",
        "sqlite:////proc/none/online.db",
        "lmdb:////proc/none",
    ],
)
def test_a_store_that_is_down_is_told(url: str) -> None:
    with pytest.raises(ServerUnreachable, match="online store at"):
        open_online(url)


def test_a_file_that_is_none_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / "online.db").write_bytes(b"not a database, but long enough to be looked at" * 10)
    with pytest.raises(ServerUnreachable, match="not a database"):
        open_online(f"sqlite:///{tmp_path / 'online.db'}")


def test_an_address_of_no_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="sqlite:///path"):
        open_online("mongodb://x")
    assert ONLINE.names() == ["lmdb", "postgres", "redis", "sqlite"]
