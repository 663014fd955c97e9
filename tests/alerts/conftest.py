from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.alerts.alert import Alerts
from flyball.clock import FixedClock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.storage.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    on_sqlite = request.param == "sqlite"
    made = Database(f"sqlite:///{tmp_path}/flyball.db" if on_sqlite else request.getfixturevalue("postgres_url"))
    metadata.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def events(database: Database, clock: FixedClock) -> EventLog:
    return EventLog(database, clock)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(LocalObjects(tmp_path / "objects", durable=False))


@pytest.fixture
def alerts(database: Database, events: EventLog, clock: FixedClock) -> Alerts:
    return Alerts(database, events, clock)
