from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.features.views import Features
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def features(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Features:
    return Features(database, blobs, events, clock)
