from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.clock import FixedClock
from flyball.features.online.base import OnlineStore, open_online
from flyball.features.views import Features
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def features(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Features:
    return Features(database, blobs, events, clock)


@pytest.fixture(params=["sqlite", "lmdb", "redis", "postgres"])
def online_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty online store of each kind."""
    if request.param in ("sqlite", "lmdb"):
        return f"{request.param}:///{tmp_path / 'online'}"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def online(online_url: str) -> Iterator[OnlineStore]:
    store = open_online(online_url)
    yield store
    store.close()
