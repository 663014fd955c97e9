from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.labels.labels import Labels
from flyball.labels.task import LabelSet, NewItem
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs


@pytest.fixture
def labels(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Labels:
    return Labels(database, blobs, events, clock)


@pytest.fixture
def pets(labels: Labels) -> Labels:
    """A service with a set `pets` of five texts, the first with the highest priority."""
    labels.declare(LabelSet(name="pets", task="classify", items="text", classes=("cat", "dog")))
    labels.add_items("pets", [NewItem(key=f"t{n}", data={"text": f"text {n}"}, priority=-n) for n in range(5)])
    return labels
