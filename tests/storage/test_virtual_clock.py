"""Virtual time stands in the database and moves only when it is told to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput
from flyball.storage.database import Database
from flyball.storage.virtual_clock import VirtualClock

MARCH = datetime(2013, 3, 1, tzinfo=UTC)


@pytest.fixture
def virtual(database: Database, clock: FixedClock) -> VirtualClock:
    return VirtualClock(database, clock)


def test_before_it_is_set_it_shows_the_other_clock(virtual: VirtualClock, clock: FixedClock) -> None:
    assert virtual.now() == clock.now()
    assert virtual.state() == (clock.now(), True)


def test_it_shows_what_it_was_set_to(virtual: VirtualClock, database: Database, clock: FixedClock) -> None:
    assert virtual.set("2013-03-01") == MARCH
    assert virtual.now() == MARCH
    assert VirtualClock(database, clock).now() == MARCH


def test_time_does_not_go_back(virtual: VirtualClock) -> None:
    virtual.set("2013-03-01")
    with pytest.raises(Conflict, match="2013-03-01"):
        virtual.set("2013-02-28T23:59:59.999999")
    assert virtual.now() == MARCH


def test_it_may_be_set_to_what_it_shows(virtual: VirtualClock) -> None:
    virtual.set("2013-03-01")
    assert virtual.set("2013-03-01T00:00:00Z") == MARCH


def test_a_moment_is_settled_by_those_who_act_on_it(virtual: VirtualClock) -> None:
    virtual.set("2013-03-01")
    assert virtual.state() == (MARCH, False)
    virtual.settle(MARCH)
    assert virtual.state() == (MARCH, True)


def test_a_moment_set_again_stays_settled(virtual: VirtualClock) -> None:
    virtual.set("2013-03-01")
    virtual.settle(MARCH)
    virtual.set("2013-03-01")
    assert virtual.state() == (MARCH, True)


def test_a_new_moment_is_not_settled(virtual: VirtualClock) -> None:
    virtual.set("2013-03-01")
    virtual.settle(MARCH)
    virtual.set("2013-03-02")
    assert virtual.state()[1] is False


def test_who_is_late_does_not_settle_the_next_moment(virtual: VirtualClock) -> None:
    virtual.set("2013-03-01")
    virtual.set("2013-03-02")
    virtual.settle(MARCH)
    assert virtual.state()[1] is False


def test_what_is_no_moment_is_refused(virtual: VirtualClock) -> None:
    with pytest.raises(InvalidInput, match="tomorrow"):
        virtual.set("tomorrow")
