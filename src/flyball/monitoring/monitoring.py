"""Monitoring: keeps ground truth and what was found in windows of predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock, parse_time
from flyball.errors import InvalidInput, NotFound
from flyball.monitoring import _store
from flyball.monitoring.profile import Profile
from flyball.monitoring.windows import Window
from flyball.refs import Ref, check_name
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

_LONGEST_ID = 200  # as serving takes them


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTruth:
    """What turned out to be true of one prediction.

    Attributes:
        known_at: When it became known.
        revised: How often a later word replaced a former one.
    """

    prediction_id: str
    value: Any
    known_at: datetime
    revised: int


class Monitoring:
    """Keeps ground truth and windows."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def add_ground_truth(self, deployment: str, ids: list[str], values: list[Any], known_at: str = "") -> int:
        """Says what turned out to be true of predictions; gives how many were new or changed.

        It may come long after the prediction, or before it, and may be sent again: the same word twice counts once. Of
        different words on one prediction the one that was known last stays; of those known at once, the last one sent.

        Args:
            deployment: Name of the deployment that predicted.
            ids: Ids of predictions.
            values: The true value of each: a truth value, number or text, as the model predicts it.
            known_at: When they became known; now by default.

        Raises:
            InvalidInput: there are not as many values as ids, a value is missing or not plain, or an id is none.
        """
        check_name(deployment, "deployment")
        if len(ids) != len(values):
            raise InvalidInput(
                f"There are {len(ids):,} ids and {len(values):,} values.", hint="Give one value for each id."
            )
        known = parse_time(known_at) if known_at else self._clock.now()
        texts = {_checked_id(name): _as_text(name, value) for name, value in zip(ids, values, strict=True)}
        if not texts:
            return 0
        with self._database.transaction() as connection:
            return _store.write_truth(self._database, connection, deployment, texts, known)

    @read
    def ground_truth_count(self, deployment: str) -> int:
        """Of how many predictions the truth is known."""
        return self._count(deployment, sa.func.count())

    @read
    def revision_count(self, deployment: str) -> int:
        """How often a word on the truth was replaced by a later, different one."""
        return self._count(deployment, sa.func.coalesce(sa.func.sum(_store.ground_truth.c.revised), 0))

    @read
    def ground_truth(self, deployment: str, ids: list[str]) -> list[GroundTruth]:
        """What is known of these predictions, by id; those of which nothing is known are left out."""
        with self._database.reading() as connection:
            rows = _store.read_truth(connection, deployment, ids)
        return [
            GroundTruth(
                prediction_id=row.prediction_id,
                value=from_json(row.value, Any),
                known_at=row.known_at,
                revised=row.revised,
            )
            for row in sorted(rows, key=lambda row: row.prediction_id)
        ]

    @read
    def truth_of(self, deployment: str, ids: list[str]) -> dict[str, Any]:
        """The true values alone of those of the predictions that have one; for many at a time."""
        with self._database.reading() as connection:
            rows = _store.read_values(connection, deployment, ids)
        # All values in one piece: each by itself would cost ten times as much.
        values = from_json(f"[{','.join([row.value for row in rows])}]", list[Any])
        return dict(zip([row.prediction_id for row in rows], values, strict=True))

    @change
    def record_window(self, window: Window) -> Window:
        """Keeps what was found in a window. A complete one is replaced by a complete one only.

        The event `monitoring.window_examined` tells of it once when it is new, and once when it is complete.
        """
        kept = replace(window, deployment=check_name(window.deployment, "deployment"), examined=self._clock.now())
        row = {
            "deployment": kept.deployment,
            "start": kept.start,
            "complete": kept.complete,
            "document": replace(kept, profile=None),
            "profile": kept.profile,
        }
        with self._database.transaction() as connection:
            if _store.write_window(self._database, connection, row):
                self._tell(connection, kept)
        return self.get_window(kept.deployment, kept.start.isoformat())

    @read
    def list_windows(self, deployment: str, limit: int = 50, before: str = "") -> list[Window]:
        """The windows of a deployment, newest first, without their profiles.

        Args:
            limit: At most this many, up to 1,000.
            before: Only those that start before this moment.
        """
        table = _store.windows
        query = sa.select(table.c.document).where(table.c.deployment == deployment)
        query = query.where(table.c.start < parse_time(before)) if before else query
        rows = self._database.rows(query.order_by(table.c.start.desc()).limit(max(1, min(limit, 1000))))
        return [row.document for row in rows]

    @read
    def list_profiles(self, deployment: str, limit: int = 6, before: str = "") -> list[Profile]:
        """The profiles of a deployment's windows, newest first; windows without one are passed over.

        Args:
            limit: At most this many, up to 100.
            before: Only those of windows that start before this moment.
        """
        table = _store.windows
        query = sa.select(table.c.profile).where(table.c.deployment == deployment, table.c.profile.is_not(None))
        query = query.where(table.c.start < parse_time(before)) if before else query
        rows = self._database.rows(query.order_by(table.c.start.desc()).limit(max(1, min(limit, 100))))
        return [row.profile for row in rows if row.profile is not None]

    @read
    def get_window(self, deployment: str, start: str) -> Window:
        """The window of a deployment that starts at this moment.

        Raises:
            NotFound: none was examined.
        """
        moment = parse_time(start)
        table = _store.windows
        row = self._database.row(sa.select(table).where(table.c.deployment == deployment, table.c.start == moment))
        if row is None:
            raise NotFound(
                f"No window of '{deployment}' that starts at {moment.isoformat()} was examined.",
                hint="List those there are with list_windows.",
                deployment=deployment,
            )
        found: Window = replace(row.document, profile=row.profile)
        return found

    def _count(self, deployment: str, what: sa.ColumnElement[int]) -> int:
        table = _store.ground_truth
        row = self._database.row(sa.select(what).select_from(table).where(table.c.deployment == deployment))
        return 0 if row is None else int(row[0])

    def _tell(self, connection: sa.Connection, window: Window) -> None:
        self._events.append(
            connection,
            "monitoring.window_examined",
            Ref(kind="windows", name=window.deployment, version=window.start.isoformat()),
            deployment=window.deployment,
            start=window.start.isoformat(),
            end=window.end.isoformat(),
            complete=window.complete,
            predictions=window.predictions,
            labelled=window.labelled,
            drifted=None if window.drift is None else window.drift.drifted,
            findings=list(window.findings),
        )


def _checked_id(name: str) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
        raise InvalidInput(
            f"{str(name)[:60]!r} cannot be the id of a prediction.", hint=f"Give 1 to {_LONGEST_ID} characters."
        )
    return name


def _as_text(name: str, value: object) -> str:
    is_plain = isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
    if not is_plain:
        raise InvalidInput(
            f"The truth of '{name[:60]}' is {str(value)[:60]!r}.",
            hint="Give true or false, a number or a text; leave out those that are not known yet.",
            prediction_id=name[:_LONGEST_ID],
        )
    return to_json(value).decode()
