from __future__ import annotations

import contextlib

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.places import file_of_run
from flyball.tracking.runs import Tracking


@pytest.fixture
def run(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> str:
    tracking = Tracking(database, blobs, events, clock)
    made = tracking.create_run("churn").id
    tracking.log_artifact(made, "a/%41 ü.txt", blobs.put(b"four"), 4)
    return made


def test_a_file_of_a_run_is_found_by_its_name(database: Database, blobs: Blobs, run: str) -> None:
    assert file_of_run(database, run, "a/%41 ü.txt") == (blobs.put(b"four"), 4)
    assert file_of_run(database, run, "a") is None
    assert file_of_run(database, "none", "a/%41 ü.txt") is None


@pytest.mark.parametrize("name", ["a\0", "a\udc80"], ids=["nul", "half a character"])
def test_what_no_name_can_hold_is_found_nowhere(database: Database, run: str, name: str) -> None:
    with contextlib.suppress(InvalidInput):  # SQLite looks for anything, PostgreSQL's driver says that it cannot
        assert file_of_run(database, run, name) is None
