"""What the tests of tuning share: services as a search wants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from flyball.clock import SystemClock
from flyball.pipelines.cache import StepCache
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Tracking
from flyball.tuning.studies import Studies


@dataclass
class Services:
    """What a search works with."""

    tracking: Tracking
    step_cache: StepCache
    studies: Studies
    blobs: Blobs
    clock: SystemClock
    project_root: Path
    code: str = ""


@pytest.fixture
def studies(database: Database, blobs: Blobs) -> Studies:
    clock = SystemClock()
    return Studies(database, blobs, EventLog(database, clock), clock)


@pytest.fixture
def services(sqlite_url: str, blobs: Blobs, tmp_path: Path) -> Services:
    clock, database = SystemClock(), Database(sqlite_url)
    parts = (database, blobs, EventLog(database, clock), clock)
    return Services(Tracking(*parts), StepCache(*parts), Studies(*parts), blobs, clock, tmp_path)
