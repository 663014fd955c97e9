"""Features online: what is pushed and materialised is what a join at that moment gives."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyball.client import RemoteWorkspace
from flyball.clock import FixedClock
from flyball.data import expect
from flyball.data.datasets import Data
from flyball.errors import ChecksFailed, Conflict, InvalidInput, NotFound, ServerUnreachable
from flyball.features.definition import FeatureView, feature_view
from flyball.features.join import join_features
from flyball.features.material import Reader
from flyball.features.materializing import Materialized, materialize
from flyball.features.online_features import OnlineFeatures
from flyball.features.views import Features
from flyball.features.windows import window
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.workspace import Workspace

START = datetime(2026, 1, 1, tzinfo=UTC)


class Room:
    """A features room with its store, in a folder."""

    def __init__(
        self, database: Database, blobs: Blobs, events: EventLog, clock: FixedClock, root: Path, url: str
    ) -> None:
        given = (database, blobs, events, clock)
        self.clock, self.root = clock, root
        self.features = Features(*given)
        self.online = OnlineFeatures(*given, url=url)
        self.reader = Reader(data=Data(*given), features=self.features, blobs=blobs, root=root)

    def rows(self, table: pa.Table, name: str = "v.parquet") -> None:
        pq.write_table(table, self.root / name)

    def materialize(self, name: str = "v", **options: Any) -> Materialized:
        return materialize(
            name, reader=self.reader, features=self.features, online=self.online, clock=self.clock, **options
        )

    def get(self, *keys: Any, view: str = "v") -> list[dict[str, Any]]:
        return self.online.get([view], [{"key": key} for key in keys]).rows


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url  # the catalog is tried on both elsewhere; here it is the stores


@pytest.fixture
def make_room(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock, tmp_path: Path) -> Any:
    made = []

    def make(url: str) -> Room:
        made.append(Room(database, blobs, events, clock, tmp_path, url))
        return made[-1]

    yield make
    for room in made:
        room.online.close()


@pytest.fixture
def room(make_room: Any, tmp_path: Path) -> Room:
    found: Room = make_room(f"sqlite:///{tmp_path / 'online.db'}")
    return found


def at(*hours: float | None) -> pa.Array:
    return pa.array([None if h is None else START + timedelta(hours=h) for h in hours], pa.timestamp("us", "UTC"))


def a_view(**more: Any) -> FeatureView:
    return feature_view("v", "v.parquet", **{"entity": "key", "time": "since", **more})


def test_the_latest_values_are_read_by_key(room: Room) -> None:
    room.features.declare(a_view(ttl="3h"))
    room.rows(pa.table({"key": ["a", "a", "b", "c"], "since": at(-2, -1, -9, 5), "x": [1, 2, 3, 4]}))
    done = room.materialize()
    assert (done.rows, done.written, done.later) == (4, 2, 1)
    answer = room.online.get(["v"], [{"key": key} for key in ("a", "b", "c", None)])
    assert answer.rows == [{"x": 2}, {"x": None}, {"x": None}, {"x": None}]
    assert answer.missing == [{}, {"v": "expired"}, {"v": "unknown"}, {"v": "unknown"}]
    assert room.online.get(["v"], [{"key": "a"}], at="2025-12-31T22:30:00Z").missing == [{"v": "future"}]


def test_what_is_served_is_seen_as_rows_and_as_a_profile(room: Room) -> None:
    room.rows(pa.table({"key": ["a", "b", "c"], "since": at(-3, -2, -1), "level": [1.0, 2.0, 6.0]}))
    room.features.declare(a_view())
    with pytest.raises(InvalidInput, match="Nothing is served"):
        room.online.statistics("v")
    room.materialize()
    page = room.online.values("v", limit=2)
    assert (page.total, len(page.rows)) == (3, 2)
    assert room.online.values("v", column="key", contains="B").total == 1
    profile = room.online.statistics("v")
    assert (profile.rows, profile.column("level").mean) == (3, 3.0)


def test_materialising_again_writes_only_what_has_come(room: Room) -> None:
    room.features.declare(a_view())
    room.rows(pa.table({"key": ["a", "b"], "since": at(-2, 1), "x": [1, 2]}))
    assert room.materialize().written == 1
    assert room.materialize().unchanged
    room.clock.advance(timedelta(hours=2))
    assert room.materialize().written == 2
    assert room.get("a", "b") == [{"x": 1}, {"x": 2}]
    known = room.features.materialization("v")
    assert known is not None
    assert (known.rows, known.keys, known.newest) == (2, 2, START + timedelta(hours=1))


def test_rows_that_the_source_has_no_more_go_with_a_rebuild(room: Room) -> None:
    room.features.declare(a_view())
    room.rows(pa.table({"key": ["a", "b"], "since": at(-2, -1), "x": [1, 2]}))
    room.materialize()
    room.rows(pa.table({"key": ["a"], "since": at(-3), "x": [0]}))
    assert room.materialize().older == 1
    assert room.get("a", "b") == [{"x": 1}, {"x": 2}]
    room.materialize(rebuild=True)
    assert room.get("a", "b") == [{"x": 0}, {"x": None}]


def test_a_view_that_fails_its_tests_is_not_served(room: Room) -> None:
    room.features.declare(a_view(tests=[expect.in_range("x", 0, 10)]))
    room.rows(pa.table({"key": ["a"], "since": at(-2), "x": [99]}))
    with pytest.raises(ChecksFailed, match="x"):
        room.materialize()
    with pytest.raises(Conflict, match="never been read"):
        room.get("a")


def test_pushed_rows_serve_at_once_and_train_from_then_on(room: Room) -> None:
    view = room.features.declare(a_view(created="seen"))
    room.rows(pa.table({"key": ["a"], "since": at(-3), "seen": at(-3), "x": [1]}))
    room.materialize()
    report = room.online.push(
        "v",
        [
            {"key": "a", "since": "2025-12-31T22:00:00Z", "x": 2},
            {"key": "a", "since": "2025-12-31T20:00:00Z", "x": 0},
            {"key": "b", "since": "2026-01-01T09:00:00Z", "x": 9},
            {"key": None, "since": "2025-12-31T22:00:00Z", "x": 9},
        ],
    )
    assert (report.rows, report.written, report.older, report.later, report.unusable) == (4, 1, 1, 1, 1)
    assert room.get("a", "b") == [{"x": 2}, {"x": None}]
    assert room.online.push("v", [{"key": "a", "since": "2025-12-31T20:00:00Z", "x": -1}]).older == 1
    corrected = room.online.push("v", [{"key": "a", "since": "2025-12-31T22:00:00Z", "x": 3}])
    assert corrected.written == 1
    assert room.get("a") == [{"x": 3}]
    offline = room.reader.rows(view)
    assert offline["x"].to_pylist() == [1, 2, 0, 9, 9, -1, 3]
    room.clock.advance(timedelta(hours=10))
    room.materialize()
    assert room.get("a", "b") == [{"x": 3}, {"x": 9}]


def test_a_view_may_live_of_pushes_alone(room: Room) -> None:
    view = room.features.declare(feature_view("clicks", entity=["user", "shop"], time="at"))
    with pytest.raises(NotFound, match="no rows"):
        room.reader.rows(view)
    rows = [{"user": 2**63 - 1, "shop": "x", "at": "2025-12-31T23:00:00Z", "count": 2**53 + 1, "last": [1.5, 2.5]}]
    room.online.push("clicks", rows)
    answer = room.online.get(["clicks"], [{"user": 2**63 - 1, "shop": "x"}, {"user": 2**63 - 2, "shop": "x"}])
    assert answer.rows == [{"count": 2**53 + 1, "last": [1.5, 2.5]}, {"count": None, "last": None}]
    assert room.reader.rows(view)["count"].to_pylist() == [2**53 + 1]


TYPED = {
    "int": (pa.int64(), 2**63 - 1),
    "unsigned": (pa.uint64(), 2**64 - 1),
    "float": (pa.float64(), 0.1),
    "small": (pa.float32(), 0.5),
    "bool": (pa.bool_(), True),
    "text": (pa.string(), "ä\x00"),
    "bytes": (pa.binary(), b"\xff\x00"),
    "moment": (pa.timestamp("us", "UTC"), START + timedelta(microseconds=1)),
    "day": (pa.date32(), date(1969, 12, 31)),
    "decimal": (pa.decimal128(20, 3), Decimal("12345678901234567.125")),
    "vector": (pa.list_(pa.float32()), [0.5, 1.5]),
    "parts": (pa.struct([("a", pa.int64())]), {"a": 2**62}),
}


@pytest.mark.parametrize("kind", TYPED)
def test_values_come_back_as_they_were(room: Room, kind: str) -> None:
    arrow, value = TYPED[kind]
    room.features.declare(a_view())
    table = pa.table({"key": [1, 2], "since": at(-1, -1), "x": pa.array([value, None], arrow)})
    room.rows(table)
    room.materialize()
    assert room.get(1, 2) == [{"x": value}, {"x": None}]
    kept = room.online.current_values("v")["x"]
    assert [item for item in kept.to_pylist() if item is not None] == [value]


@pytest.mark.parametrize("key", ["1", 1.0, True, b"1", [1]])
def test_a_key_of_another_type_is_refused(room: Room, key: Any) -> None:
    room.features.declare(a_view())
    room.rows(pa.table({"key": [1], "since": at(-1), "x": [1]}))
    room.materialize()
    with pytest.raises(InvalidInput, match="The key 'key' of feature view 'v' is int"):
        room.get(key)
    assert room.get(float("nan")) == [{"x": None}]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"since": "2025-12-31", "x": 1}, "no 'key'"),
        ({"key": "a", "x": 1}, "no 'since'"),
        ({"key": "a", "since": "2025-12-31", "y": 1}, "no column 'y'"),
        ({"key": "a", "since": "soon", "x": 1}, "not a time"),
        ({"key": "a", "since": "2025-12-31", "x": "1"}, "'x' of feature view 'v' is int64"),
        ({"key": 1, "since": "2025-12-31", "x": 1}, "'key' of feature view 'v' is string"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_kept(room: Room, row: dict[str, Any], found: str) -> None:
    room.features.declare(a_view())
    room.rows(pa.table({"key": ["a"], "since": at(-1), "x": [1]}))
    room.materialize()
    with pytest.raises(InvalidInput, match=found):
        room.online.push("v", [{"key": "a", "since": "2025-12-31", "x": 5}, row])
    assert room.features.pushes("v") == []
    assert room.get("a") == [{"x": 1}]


def test_what_is_pushed_while_the_store_is_down_is_not_lost(make_room: Any) -> None:
    down = make_room("redis://127.0.0.1:1/0")
    view = down.features.declare(feature_view("v", entity="key", time="since"))
    report = down.online.push("v", [{"key": "a", "since": "2025-12-31T22:00:00Z", "x": 1}])
    assert report.waiting == 1
    with pytest.raises(ServerUnreachable):
        down.get("a")
    up = make_room(f"sqlite:///{down.root / 'up.db'}")
    up.materialize()
    assert up.get("a") == [{"x": 1}]
    assert view.version == 1


def test_freshness_and_removal(room: Room) -> None:
    room.features.declare(a_view(ttl="3h"))
    room.rows(pa.table({"key": ["a", "b"], "since": at(-1, -2), "x": [1, 2]}))
    assert room.online.freshness("v").is_stale
    room.materialize()
    fresh = room.online.freshness("v")
    assert (fresh.newest, fresh.age_seconds, fresh.is_stale) == (START - timedelta(hours=1), 3600.0, False)
    room.clock.advance(timedelta(hours=2.5))
    assert room.online.freshness("v").is_stale
    assert room.online.delete("v", [{"key": "a"}, {"key": "zz"}]) == 1
    room.online.forget("v")
    assert room.online.get(["v"], [{"key": "b"}]).missing == [{"v": "unknown"}]


def test_versions_are_served_side_by_side(room: Room) -> None:
    room.features.declare(a_view(columns=["x"]))
    room.rows(pa.table({"key": ["a"], "since": at(-1), "x": [1], "y": [2]}))
    room.materialize()
    room.features.declare(a_view(columns=["y"]))
    room.materialize()
    assert room.get("a", view="v@1") == [{"x": 1}]
    assert room.get("a") == room.get("a", view="v@2") == [{"y": 2}]


def test_five_thousand_columns_are_as_good_as_five(room: Room) -> None:
    names = [f"c{n}" for n in range(5000)]
    room.features.declare(a_view())
    room.rows(pa.table({"key": ["a"], "since": at(-1), **{name: [n] for n, name in enumerate(names)}}))
    room.materialize()
    assert room.get("a")[0]["c4999"] == 4999


def history(order: random.Random, count: int) -> pa.Table:
    times = [None if order.random() < 0.1 else order.randrange(-20, 20) for _ in range(count)]
    created = [None if t is None or order.random() < 0.1 else t + order.choice([0, 0, 1, 8]) for t in times]
    keys = [order.choice(["a", "b", "c", None]) for _ in range(count)]
    values = [order.choice([None, order.randrange(100)]) for _ in range(count)]
    return pa.table(
        {
            "key": pa.array(keys, pa.string()),
            "since": at(*times),
            "seen": at(*created),
            "x": pa.array(values, pa.int64()),
        }
    )


KINDS = ["plain", "ttl", "created", "windows", "windows_created"]
OTHERS = [
    (kind, seed, url) for url in ("lmdb", "redis", "postgres") for seed, kind in enumerate(("created", "windows"))
]


@pytest.mark.parametrize(
    ("kind", "seed", "online_url"),
    [*((kind, seed, "sqlite") for seed, kind in enumerate(KINDS)), *OTHERS],
    indirect=["online_url"],
)
def test_what_is_served_is_what_a_join_gives_at_every_moment(
    make_room: Any, online_url: str, kind: str, seed: int
) -> None:
    room: Room = make_room(online_url)
    order = random.Random(seed)
    more: dict[str, Any] = {"ttl": "5h"} if kind == "ttl" else {}
    more |= {"created": "seen"} if "created" in kind else {}
    if kind.startswith("windows"):
        made = [window("x", how, over="6h", name=how) for how in ("sum", "count", "last", "distinct", "mean")]
        more |= {"windows": made}
    else:
        more["columns"] = ["x"]
    view = room.features.declare(a_view(**more))
    room.rows(history(order, 12))
    room.materialize()
    for _ in range(4):
        what = order.choice(["push", "push", "materialize", "wait", "grow"])
        if what == "push":
            room.online.push_table("v", history(order, 4))
        elif what == "wait":
            room.clock.advance(timedelta(hours=order.randrange(1, 5)))
        elif what == "grow":
            room.rows(pa.concat_tables([pq.read_table(room.root / "v.parquet"), history(order, 3)]))
        # What has come of itself is taken by the next materialising; a push needs none.
        if what != "push":
            room.materialize()
        now = room.clock.now()
        keys = ["a", "b", "c", "zz", None]
        requests = pa.table({"key": pa.array(keys, pa.string()), "at": pa.array([now] * 5, pa.timestamp("us", "UTC"))})
        joined = join_features(requests, [(view, room.reader.rows(view))], time="at").drop_columns(["key", "at"])
        assert room.get(*keys) == joined.to_pylist(), (what, now)


def test_everything_works_through_a_server(remote: RemoteWorkspace, workspace: Workspace, tmp_path: Path) -> None:
    view = remote.features.declare(feature_view("clicks", entity="user", time="at"))
    assert view == replace(view, version=1)
    remote.features_online.push("clicks", [{"user": 7, "at": "2025-12-31T22:00:00Z", "count": 3}])
    answer = remote.features_online.get(["clicks"], [{"user": 7}, {"user": 8}])
    assert answer.rows == [{"count": 3}, {"count": None}]
    assert answer.missing == [{}, {"clicks": "unknown"}]
    with pytest.raises(InvalidInput, match="is int"):
        remote.features_online.get(["clicks"], [{"user": "7"}])
    reader = Reader(data=remote.data, features=remote.features, blobs=remote.blobs, root=tmp_path)
    done = materialize(
        "clicks",
        reader=reader,
        features=remote.features,
        online=remote.features_online,
        clock=remote.time,
        rebuild=True,
    )
    assert done.written + done.older == 1
    assert workspace.features_online.freshness("clicks").newest == datetime(2025, 12, 31, 22, tzinfo=UTC)
