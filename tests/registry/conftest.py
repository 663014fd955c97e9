from __future__ import annotations

import pyarrow as pa
import pytest

from flyball.clock import FixedClock
from flyball.models.package import ModelPackage, save_model
from flyball.registry.versions import Registry
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from tests.registry.constant import always_eight, always_seven


@pytest.fixture
def registry(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Registry:
    return Registry(database, blobs, events, clock)


@pytest.fixture
def package(blobs: Blobs) -> ModelPackage:
    return save_model(always_seven, blobs, example=pa.table({"age": [1.0, 2.0]}))


@pytest.fixture
def other_package(blobs: Blobs) -> ModelPackage:
    return save_model(always_eight, blobs, example=pa.table({"age": [1.0, 2.0]}))
