"""Events stand in the log if and only if the fact they tell stands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Signal

import pytest

from flyball.clock import FixedClock
from flyball.events import Event
from flyball.refs import Ref
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog


def tell(database: Database, events: EventLog, kind: str, subject: object, /, **facts: object) -> None:
    with database.transaction() as connection:
        events.append(connection, kind, subject, **facts)


def test_an_event_is_told_as_it_was_written(database: Database, events: EventLog, clock: FixedClock) -> None:
    subject = Ref(kind="models", name="churn", version="3")
    tell(database, events, "registry.version_registered", subject, run="r1", score=0.5, tags=["a"], none=None)
    (found,) = events.list()
    facts = {"run": "r1", "score": 0.5, "tags": ["a"], "none": None}
    kind = "registry.version_registered"
    assert found == Event(id=1, kind=kind, subject="models:/churn/3", at=clock.now(), facts=facts)


def test_an_event_goes_with_its_transaction(database: Database, events: EventLog) -> None:
    def fail_after_telling() -> None:
        with database.transaction() as connection:
            events.append(connection, "a.b", "models:/churn")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_telling()
    assert events.list() == []


def test_facts_may_be_called_anything(database: Database, events: EventLog) -> None:
    tell(database, events, "a.b", "models:/churn", kind="x", subject="y", connection="z")
    assert events.list()[0].facts == {"kind": "x", "subject": "y", "connection": "z"}


def test_events_come_oldest_first_after_an_id(database: Database, events: EventLog) -> None:
    for number in range(5):
        tell(database, events, "a.b", "models:/churn", number=number)
    assert [event.facts["number"] for event in events.list()] == [0, 1, 2, 3, 4]
    second = events.list()[1]
    assert [event.facts["number"] for event in events.list(after=second.id)] == [2, 3, 4]
    assert [event.facts["number"] for event in events.list(after=second.id, limit=2)] == [2, 3]
    assert [event.facts["number"] for event in events.list(limit=2, newest_first=True)] == [4, 3]
    assert len(events.list(limit=-1)) == 1


def test_events_are_found_by_kind(database: Database, events: EventLog) -> None:
    for kind in ("data.a", "data.b", "database.a", "data_a", "model.a"):
        tell(database, events, kind, "models:/churn")
    assert [event.kind for event in events.list(kinds=["data.a", "model.a"])] == ["data.a", "model.a"]
    assert [event.kind for event in events.list(kinds=["data."])] == ["data.a", "data.b"]
    assert events.list(kinds=["%"]) == []
    assert events.list(kinds=["_."]) == []


def test_events_are_found_by_subject(database: Database, events: EventLog) -> None:
    for subject in ("models:/churn", "models:/churn/1", "models:/churn/2", "models:/churn2/1"):
        tell(database, events, "a.b", subject)
    assert [event.subject for event in events.list(subject="models:/churn")] == ["models:/churn"]
    assert len(events.list(subject="models:/churn/")) == 2
    assert len(events.list(subject="models:/")) == 4
    assert events.list(subject="models:/%/") == []


def test_time_comes_from_the_clock(database: Database, events: EventLog, clock: FixedClock) -> None:
    tell(database, events, "a.b", "models:/churn")
    clock.advance(timedelta(days=1))
    tell(database, events, "a.b", "models:/churn")
    first, second = events.list()
    assert second.at - first.at == timedelta(days=1)


def test_one_who_reads_on_misses_nothing_that_a_slower_writer_tells(database: Database, events: EventLog) -> None:
    told, go_on = Signal(), Signal()

    def slow() -> None:
        with database.transaction() as connection:
            events.append(connection, "a.slow", "models:/churn")
            told.set()
            go_on.wait(0.3)

    def quick() -> None:
        told.wait()
        tell(database, events, "a.quick", "models:/churn")
        go_on.set()

    seen: list[Event] = []
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(slow), pool.submit(quick)]
        while not all(writer.done() for writer in writers):
            seen += events.list(after=seen[-1].id if seen else 0)
        for writer in writers:
            writer.result()
    seen += events.list(after=seen[-1].id if seen else 0)
    assert sorted(event.kind for event in seen) == ["a.quick", "a.slow"]


def test_many_writers_are_all_heard_in_order(database: Database, events: EventLog) -> None:
    seen: list[Event] = []
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(tell, database, events, "a.b", "models:/churn", number=n) for n in range(60)]
        while not all(writer.done() for writer in writers):
            seen += events.list(after=seen[-1].id if seen else 0)
    seen += events.list(after=seen[-1].id if seen else 0)
    assert sorted(int(event.facts["number"]) for event in seen) == list(range(60))
