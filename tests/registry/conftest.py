from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from flyball.clock import FixedClock
from flyball.models.package import ModelPackage, save_model
from flyball.registry.versions import Registry
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.storage.tables import metadata
from tests.registry.constant import always_eight, always_seven


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
def registry(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Registry:
    return Registry(database, blobs, events, clock)


@pytest.fixture
def package(blobs: Blobs) -> ModelPackage:
    return save_model(always_seven, blobs, example=pa.table({"age": [1.0, 2.0]}))


@pytest.fixture
def other_package(blobs: Blobs) -> ModelPackage:
    return save_model(always_eight, blobs, example=pa.table({"age": [1.0, 2.0]}))
