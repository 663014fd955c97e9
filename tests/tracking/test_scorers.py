from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.experiments import Experiments
from flyball.tracking.scorers import LONGEST, Scorers


@pytest.fixture
def scorers(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Scorers:
    experiments = Experiments(database, blobs, events, clock)
    for name in ("bot", "other"):
        experiments.create(name)
    return Scorers(database, blobs, events, clock)


def test_versions_are_counted_up(scorers: Scorers) -> None:
    first, second = scorers.register("bot", "kind", "{}"), scorers.register("bot", "kind", '{"a": 1}')
    assert (first.version, second.version, second.id) == (1, 2, first.id)
    assert scorers.versions("bot", "kind") == [first, second]
    assert scorers.get("bot", "kind") == second
    assert scorers.get("bot", "kind", 1) == first


def test_the_latest_of_each_is_listed(scorers: Scorers) -> None:
    scorers.register("bot", "kind", "{}")
    scorers.register("bot", "brief", "{}")
    last = scorers.register("bot", "kind", "[]")
    scorers.register("other", "kind", "{}")
    assert [one.name for one in scorers.list(["bot"])] == ["brief", "kind"]
    assert scorers.list(["bot"])[1] == last
    assert len(scorers.list(["bot", "other"])) == 3


def test_one_version_or_all_are_deleted(scorers: Scorers) -> None:
    for _ in range(3):
        scorers.register("bot", "kind", "{}")
    scorers.delete("bot", "kind", 3)
    assert scorers.get("bot", "kind").version == 2
    scorers.delete("bot", "kind")
    for call in (scorers.get, scorers.versions, scorers.delete):
        with pytest.raises(NotFound, match="kind"):
            call("bot", "kind")


def test_an_experiment_must_be_there(scorers: Scorers) -> None:
    with pytest.raises(NotFound):
        scorers.register("nope", "kind", "{}")


def test_what_cannot_be_kept_is_refused(scorers: Scorers) -> None:
    for name, definition in (("", "{}"), ("a" * 251, "{}"), ("kind", "x" * (LONGEST + 1)), ("kind", "\0")):
        with pytest.raises(InvalidInput):
            scorers.register("bot", name, definition)
