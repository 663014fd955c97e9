from __future__ import annotations

import pytest

from flyball.alerts.alert import Alerts
from flyball.clock import FixedClock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog


@pytest.fixture
def alerts(database: Database, events: EventLog, clock: FixedClock) -> Alerts:
    return Alerts(database, events, clock)
