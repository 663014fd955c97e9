"""Searches that are kept under a name: a filter, an order, the columns that are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import limits
from flyball.tracking._views_store import views
from flyball.tracking.filters import LONGEST, parse_filter, parse_order
from flyball.tracking.run_fields import EXPERIMENT_FIELDS, RUN_FIELDS
from flyball.verbs import change, read

ViewKind = Literal["runs", "experiments"]

MOST_COLUMNS = 200
_FIELDS = {"runs": RUN_FIELDS, "experiments": EXPERIMENT_FIELDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A search that is kept under a name.

    Attributes:
        columns: What is shown of each, such as `metrics.accuracy`; empty for what is usual.
        experiments: Names or ids of the experiments that are searched; empty for all.
    """

    name: str
    kind: ViewKind
    filter: str
    order_by: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    created: datetime
    updated: datetime


class SavedViews:
    """Keeps searches under names."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @change
    def save(
        self,
        name: str,
        filter: str = "",
        order_by: list[str] | None = None,
        columns: list[str] | None = None,
        kind: ViewKind = "runs",
        experiments: list[str] | None = None,
    ) -> SavedView:
        """Keeps a search under a name; one of that name is replaced.

        Raises:
            InvalidInput: the name cannot be used, or the filter, the order or a column is not understood.
        """
        limits.check_key(name, "view")
        parse_filter(limits.check_text(filter, "filter", LONGEST), _FIELDS[kind])
        parse_order(order_by or [], _FIELDS[kind])
        if len(columns or ()) > MOST_COLUMNS or len(experiments or ()) > MOST_COLUMNS:
            raise InvalidInput(f"There are more than {MOST_COLUMNS} columns or experiments.")
        for column in columns or ():
            parse_order([column], _FIELDS[kind])
        for experiment in experiments or ():
            limits.check_text(experiment, "experiment", 500)
        now = self._clock.now()
        changed = {
            "filter": filter,
            "order_by": order_by or [],
            "columns": columns or [],
            "experiments": experiments or [],
            "updated": now,
        }
        insert = self._database.insert(views).values(name=name, kind=kind, created=now, **changed)
        self._database.execute(insert.on_conflict_do_update(index_elements=["kind", "name"], set_=changed))
        return self.get(name, kind)

    @read
    def get(self, name: str, kind: ViewKind = "runs") -> SavedView:
        """The view of that name.

        Raises:
            NotFound: there is none.
        """
        row = self._database.row(sa.select(views).where(views.c.kind == kind, views.c.name == name))
        if row is None:
            known = self._database.rows(sa.select(views.c.name).where(views.c.kind == kind).limit(1000))
            raise NotFound(
                f"There is no view '{name[:100]}' of {kind}.", hint=did_you_mean(name, [r.name for r in known])
            )
        return SavedView(**row._mapping)

    @read
    def list(self, kind: ViewKind = "runs", limit: int = 100, after: str = "") -> list[SavedView]:
        """Views by name.

        Args:
            after: Only names after this one.
        """
        query = sa.select(views).where(views.c.kind == kind, views.c.name > after).order_by(views.c.name)
        return [SavedView(**row._mapping) for row in self._database.rows(query.limit(max(1, min(limit, 1000))))]

    @change
    def delete(self, name: str, kind: ViewKind = "runs") -> None:
        """Removes a view.

        Raises:
            NotFound: there is none of that name.
        """
        self.get(name, kind)
        self._database.execute(sa.delete(views).where(views.c.kind == kind, views.c.name == name))
