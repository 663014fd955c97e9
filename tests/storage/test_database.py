"""Transactions and leases, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Event

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from flyball.errors import InvalidInput, LeaseLost
from flyball.storage.database import Database, leases
from flyball.storage.tables import Document, Instant

HOUR = timedelta(hours=1)

own = sa.MetaData()
counts = sa.Table(
    "counts", own, sa.Column("name", sa.String(20), primary_key=True), sa.Column("value", sa.Integer, nullable=False)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: int
    labels: tuple[str, ...] = ()
    at: datetime | None = None


values = sa.Table(
    "column_values",
    own,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Instant),
    sa.Column("point", Document(Point)),
)


@pytest.fixture
def db(database: Database) -> Database:
    """A database with the tables of this file, and a count of zero."""
    own.create_all(database.engine)
    database.execute(sa.insert(counts).values(name="a", value=0))
    return database


def count(database: Database) -> int:
    row = database.row(sa.select(counts.c.value).where(counts.c.name == "a"))
    assert row is not None
    return int(row.value)


def test_all_of_a_transaction_is_seen_or_none(db: Database) -> None:
    def fail_after_two_writes() -> None:
        with db.transaction() as connection:
            connection.execute(sa.update(counts).values(value=1))
            connection.execute(sa.insert(counts), [{"name": "b", "value": 1}])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_two_writes()
    assert count(db) == 0
    assert len(db.rows(sa.select(counts))) == 1


def test_a_transaction_is_not_seen_before_its_end(db: Database) -> None:
    with db.transaction() as connection:
        connection.execute(sa.update(counts).values(value=1))
        assert count(db) == 0
    assert count(db) == 1


def test_readers_and_the_writer_do_not_wait_for_each_other(db: Database) -> None:
    with db.reading() as connection:
        assert connection.scalar(sa.select(counts.c.value)) == 0
        db.execute(sa.update(counts).values(value=1))
    assert count(db) == 1


def test_execute_tells_how_many_rows_it_touched(db: Database) -> None:
    assert db.execute(sa.insert(counts), [{"name": name, "value": 1} for name in "bcd"]) == 3
    assert db.execute(sa.update(counts).where(counts.c.name == "none").values(value=1)) == 0


def test_an_insert_may_meet_what_is_there(db: Database) -> None:
    insert = db.insert(counts).values(name="a", value=5)
    db.execute(insert.on_conflict_do_nothing())
    assert count(db) == 0
    db.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": insert.excluded.value}))
    assert count(db) == 5


def test_threads_that_read_and_then_write_wait_for_each_other(db: Database) -> None:
    def increment(_: int) -> None:
        with db.transaction() as connection:
            row = sa.select(counts.c.value).where(counts.c.name == "a").with_for_update()
            value = connection.execute(row).scalar_one()
            connection.execute(sa.update(counts).where(counts.c.name == "a").values(value=value + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(64)))
    assert count(db) == 64


INCREMENT = """
import sys
import sqlalchemy as sa
from flyball.storage.database import Database
database = Database(sys.argv[1])
for _ in range(50):
    with database.transaction() as connection:
        connection.execute(sa.text("UPDATE counts SET value = value + 1 WHERE name = 'a'"))
"""


def test_processes_that_write_wait_for_each_other(db: Database) -> None:
    url = db.url.render_as_string(hide_password=False)
    writers = [subprocess.Popen([sys.executable, "-c", INCREMENT, url]) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert count(db) == 150


def test_a_moment_comes_back_to_the_microsecond(db: Database) -> None:
    moment = datetime(2013, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    db.execute(sa.insert(values).values(id=1, at=moment))
    assert db.rows(sa.select(values.c.at)) == [(moment,)]


def test_moments_are_sorted_across_the_epoch(db: Database) -> None:
    moments = [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1969, 1970, 2013, 9999)]
    db.execute(sa.insert(values), [{"id": n, "at": at, "point": None} for n, at in enumerate(reversed(moments))])
    assert [row.at for row in db.rows(sa.select(values.c.at).order_by(values.c.at))] == moments


YEAR_2, YEAR_9998 = datetime(2, 1, 1), datetime(9998, 1, 1)  # noqa: DTZ001 - hypothesis adds the time zone


@given(st.datetimes(YEAR_2, YEAR_9998, timezones=st.timezones()))
def test_every_moment_is_exact(moment: datetime) -> None:
    kind, dialect = Instant(), sqlite.dialect()
    kept = kind.process_bind_param(moment, dialect)
    assert kind.process_result_value(kept, dialect) == moment.astimezone(UTC)


def test_a_noun_comes_back_as_it_was(db: Database) -> None:
    point = Point(x=1, labels=("a", "ü\n\"'"), at=datetime(2013, 3, 1, tzinfo=UTC))
    db.execute(sa.insert(values).values(id=1, point=point))
    db.execute(sa.insert(values).values(id=2, point=None))
    assert db.rows(sa.select(values.c.point).order_by(values.c.id)) == [(point,), (None,)]


def test_a_row_that_does_not_fit_its_noun_is_refused(db: Database) -> None:
    db.execute(sa.text('INSERT INTO column_values (id, point) VALUES (1, \'{"x": "many"}\')'))
    with pytest.raises(InvalidInput, match=r"\$\.x"):
        db.rows(sa.select(values.c.point))


def test_a_number_that_no_column_holds_is_bad_input(db: Database) -> None:
    for number in (2**63, 10**30):
        with pytest.raises(InvalidInput, match="cannot keep a value"):
            db.execute(sa.insert(counts).values(name="b", value=number))
        with pytest.raises(InvalidInput, match="cannot keep a value"):
            db.rows(sa.select(counts).where(counts.c.value == number))
    assert count(db) == 0


def test_a_text_that_postgres_cannot_keep_is_bad_input(postgres_tables_url: str) -> None:
    database = Database(postgres_tables_url)
    own.create_all(database.engine)
    for text in ("x" * 21, "a\0b"):
        with pytest.raises(InvalidInput, match="cannot keep a value"):
            database.execute(sa.insert(counts).values(name=text, value=1))
    database.close()


def test_only_one_holds_a_lease(database: Database) -> None:
    mine = database.lease("controller", "me", HOUR)
    assert mine is not None
    assert (mine.holder, mine.token) == ("me", 1)
    assert database.lease("controller", "you", HOUR) is None
    assert database.lease("another", "you", HOUR) is not None


def test_of_many_who_ask_at_once_one_gets_the_lease(database: Database) -> None:
    barrier = Barrier(8)

    def ask(number: int) -> bool:
        barrier.wait()
        return database.lease("controller", f"holder-{number}", HOUR) is not None

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))).count(True) == 1


def test_a_renewed_lease_keeps_its_token(database: Database) -> None:
    mine = database.lease("controller", "me", timedelta(milliseconds=50))
    assert database.lease("controller", "me", HOUR) == mine
    time.sleep(0.1)
    assert database.lease("controller", "you", HOUR) is None


def test_an_expired_lease_is_taken_over_with_a_greater_token(database: Database) -> None:
    mine = database.lease("controller", "me", timedelta(milliseconds=20))
    assert mine is not None
    time.sleep(0.05)
    yours = database.lease("controller", "you", HOUR)
    assert yours is not None
    assert yours.token > mine.token
    assert database.lease("controller", "me", HOUR) is None


def test_a_released_lease_is_free_and_its_token_grows(database: Database) -> None:
    mine = database.lease("controller", "me", HOUR)
    assert mine is not None
    database.release(mine)
    yours = database.lease("controller", "you", HOUR)
    assert yours is not None
    assert yours.token > mine.token


def test_one_who_comes_back_after_a_release_gets_a_greater_token(database: Database) -> None:
    first = database.lease("controller", "me", HOUR)
    assert first is not None
    database.release(first)
    second = database.lease("controller", "me", HOUR)
    assert second is not None
    assert second.token > first.token


def test_who_lost_a_lease_cannot_release_the_next_ones(database: Database) -> None:
    mine = database.lease("controller", "me", timedelta(milliseconds=20))
    assert mine is not None
    time.sleep(0.05)
    database.lease("controller", "you", HOUR)
    database.release(mine)
    assert database.lease("controller", "me", HOUR) is None


def test_a_fence_lets_the_holder_write(db: Database) -> None:
    mine = db.lease("controller", "me", HOUR)
    assert mine is not None
    with db.transaction() as connection:
        db.fence(connection, mine)
        connection.execute(sa.update(counts).values(value=1))
    assert count(db) == 1


def test_a_fence_stops_one_who_lost_the_lease(db: Database) -> None:
    mine = db.lease("controller", "me", timedelta(milliseconds=20))
    assert mine is not None
    time.sleep(0.05)
    db.lease("controller", "you", HOUR)

    def write() -> None:
        with db.transaction() as connection:
            connection.execute(sa.update(counts).values(value=1))
            db.fence(connection, mine)

    with pytest.raises(LeaseLost) as caught:
        write()
    assert caught.value.facts == {"lease": "controller"}
    assert count(db) == 0


def test_a_fence_stops_a_lease_that_was_never_given(database: Database) -> None:
    mine = database.lease("controller", "me", HOUR)
    assert mine is not None
    for forged in (replace(mine, token=7), replace(mine, name="none"), replace(mine, holder="you")):
        with pytest.raises(LeaseLost), database.transaction() as connection:
            database.fence(connection, forged)


def test_nobody_takes_the_lease_over_while_the_holder_writes(db: Database) -> None:
    mine = db.lease("controller", "me", timedelta(milliseconds=20))
    assert mine is not None
    fenced, order = Event(), []

    def take_over() -> None:
        fenced.wait()
        assert db.lease("controller", "you", HOUR) is not None
        order.append("taken over")

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(take_over)
        with db.transaction() as connection:
            db.fence(connection, mine)
            fenced.set()
            time.sleep(0.1)
            order.append("written")
        other.result()
    assert order == ["written", "taken over"]


def test_leases_go_by_the_clock_of_the_database(database: Database) -> None:
    database.lease("controller", "me", HOUR)
    row = database.row(sa.select(leases.c.expires))
    assert row is not None
    assert abs(row.expires - time.time() - 3600) < 5


@pytest.mark.parametrize("url", ["", "flyball.db", "sqlite", "://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="no database address"):
        Database(url)


def test_other_databases_are_refused() -> None:
    with pytest.raises(InvalidInput, match="mysql"):
        Database("mysql://localhost/flyball")


def test_no_password_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        Database("postgresql://me:secret@host:port/flyball")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_sqlite_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/folder/flyball.db")
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()
