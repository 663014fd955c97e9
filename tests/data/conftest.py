from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.data.datasets import Data
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def data(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Data:
    return Data(database, blobs, events, clock)
