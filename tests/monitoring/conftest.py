from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from flyball.alerts.alert import Alerts
from flyball.clock import FixedClock
from flyball.monitoring.examine import examine_window
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.profile import Reference
from flyball.monitoring.reference import fit_reference
from flyball.monitoring.windows import Window
from flyball.serving.prediction_log import Entry, PredictionLog
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.monitoring.samples import DAY, START, Examine, Predict, inputs_of


@pytest.fixture
def monitoring(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Monitoring:
    return Monitoring(database, blobs, events, clock)


@pytest.fixture
def alerts(database: Database, events: EventLog, clock: FixedClock) -> Alerts:
    return Alerts(database, events, clock)


@pytest.fixture(scope="session")
def reference() -> Reference:
    return fit_reference(inputs_of(20_000, seed=99), windows=20)


@pytest.fixture
def predict(store: LocalObjects) -> Predict:
    """Writes predictions of one moment to the log, as a model server does; gives their ids."""
    log_number = iter(range(1000))

    def write(
        answer: dict[str, Any],
        *,
        at: datetime = START,
        inputs: pa.Table | None = None,
        ids: Sequence[str] | None = None,
        version: int = 1,
        role: str = "champion",
    ) -> list[str]:
        table = pa.table(answer)
        number = next(log_number)
        names = list(ids) if ids is not None else [f"{at:%m%d%H}-{number}-{row}" for row in range(table.num_rows)]
        log = PredictionLog(store, "shop", f"r{number}", interval=60)
        entry = Entry(
            ids=names, at=at, revision=f"m-{version}", model_version=version, role=role, answered=role != "shadow",
            answer=table, inputs=inputs,
        )  # fmt: skip
        assert log.append(entry)
        log.close()
        return names

    return write


@pytest.fixture
def examine(store: LocalObjects, monitoring: Monitoring) -> Examine:
    """Examines one day of the deployment `shop`."""

    def look(*monitors: Any, start: datetime = START, **named: Any) -> Window:
        known: dict[str, Any] = {"reference": None, "complete": True, "alerts": None, **named}
        return examine_window(
            store, monitoring, deployment="shop", start=start, end=start + DAY, monitors=monitors, **known
        )

    return look
