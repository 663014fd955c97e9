"""What tests of searches work with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flyball.clock import FixedClock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.inputs import RunInputs
from flyball.tracking.runs import MetricPoint, Tracking
from flyball.tracking.search import RunSearch


@dataclass
class Place:
    """Services, and short ways to make runs and to find them."""

    tracking: Tracking
    search: RunSearch
    inputs: RunInputs
    clock: FixedClock
    blobs: Blobs

    def run(
        self,
        name: str,
        *,
        params: dict[str, str | int | float | bool | None] | None = None,
        metrics: dict[str, float | None] | None = None,
        tags: dict[str, str] | None = None,
        experiment: str = "first",
        kind: str = "run",
        code: str = "",
        environment: dict[str, str] | None = None,
        ends: bool = True,
    ) -> str:
        """Makes a run, whose name is its id as well."""
        self.tracking.create_run(
            experiment, name=name, kind=kind, params=params, tags=tags, id=name, code=code, environment=environment
        )
        if metrics:
            points = [MetricPoint(key=k, value=v, at=self.clock.now()) for k, v in metrics.items()]
            self.tracking.log(name, metrics=points)
        self.clock.advance(timedelta(seconds=10))
        if ends:
            self.tracking.finish_run(name)
        return name

    def found(self, filter: str = "", order_by: list[str] | None = None, *, native: bool = True) -> str:
        """The ids of all runs that fit."""
        page = self.search.search(filter, order_by=order_by, native=native, total=True)
        assert page.total == len(page.runs)
        return " ".join(run.id for run in page.runs)


def place_of(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Place:
    """The services on a database."""
    made = (database, blobs, events, clock)
    return Place(tracking=Tracking(*made), search=RunSearch(*made), inputs=RunInputs(*made), clock=clock, blobs=blobs)
