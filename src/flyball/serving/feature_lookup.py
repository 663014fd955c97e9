"""Looks features up for requests that name only their things: what the request gives wins, what is missing stays missing.

The store is another's: while it is down requests are answered without what it holds, and that is counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from flyball.errors import FlyballError, ServerUnreachable
from flyball.features.online.base import Cell, OnlineStore, open_online
from flyball.features.reading import OnlineReader, feature_columns
from flyball.schema import Column
from flyball.serving.manifest import Arm

if TYPE_CHECKING:
    import pyarrow as pa

_AGAIN_SECONDS = 2.0
_AT = "__flyball_at__"


class LastingStore:
    """An online store that is opened when it is first read, and opened again after it was down.

    Args:
        url: Its address; empty for none, which is as if it were down.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: OnlineStore | None = None
        self._failure = ServerUnreachable("No online store is named.", hint="Give its address with --online.")
        self._again = 0.0
        self._lock = threading.Lock()

    def find(self, name: str) -> int | None:
        """The number of a slot; None if there is none of that name."""
        return self._store().find(name)

    def read(self, wanted: Sequence[tuple[int, bytes]]) -> list[Cell | None]:
        """The cells of slots and keys.

        Raises:
            ServerUnreachable: it is down; for a moment it is then not asked again.
        """
        try:
            return self._store().read(wanted)
        except ServerUnreachable as error:
            with self._lock:
                self._opened, self._failure, self._again = None, error, time.monotonic() + _AGAIN_SECONDS
            raise

    def _store(self) -> OnlineStore:
        found = self._opened
        if found is not None:
            return found
        with self._lock:
            if self._opened is None:
                if not self._url or time.monotonic() < self._again:
                    raise self._failure
                try:
                    self._opened = open_online(self._url)
                except FlyballError as error:
                    self._failure = ServerUnreachable(error.message, hint=error.hint)
                    self._again = time.monotonic() + _AGAIN_SECONDS
                    raise self._failure from error
            return self._opened


class FeatureLookup:
    """Looks features up for the arms of one generation.

    Attributes:
        incomplete: Rows for which a value could not be found.
    """

    def __init__(self, arms: Sequence[Arm], store: LastingStore) -> None:
        self._readers = {
            arm.revision: OnlineReader(store, arm.features)  # type: ignore[arg-type]  # a reader only finds and reads
            for arm in arms
            if arm.features is not None and arm.features.outputs
        }
        self.incomplete = 0

    def __bool__(self) -> bool:
        return bool(self._readers)

    def outputs(self, arm: Arm) -> frozenset[str]:
        """The columns that need not be given to an arm."""
        reader = self._readers.get(arm.revision)
        return frozenset() if reader is None else reader.plan.outputs

    def columns(self) -> list[Column]:
        """The columns that a request may give beside the models' own: keys, and what on-demand features take."""
        found: dict[str, Column] = {}
        for reader in self._readers.values():
            for planned in reader.plan.views:
                for name in planned.view.entity:
                    found.setdefault(name, planned.schema.column(name))
                for column in feature_columns(planned).columns:
                    name = planned.names[column.name]
                    found.setdefault(name, Column(name=name, type=column.type, storage=column.storage))
            for made in reader.plan.functions:
                for name in made.inputs:
                    found.setdefault(name, Column(name=name, type="null", storage="null"))
        return [Column(name=c.name, type=c.type, nullable=True, storage=c.storage) for c in found.values()]

    def timed(self, table: pa.Table, at: datetime) -> pa.Table:
        """The rows of a request, with its moment beside each."""
        import pyarrow as pa

        moment = pa.scalar(at, pa.timestamp("us", "UTC"))
        return table.append_column(_AT, pa.repeat(moment, table.num_rows))

    def fill(self, arm: Arm, table: pa.Table, wanted: Sequence[str]) -> pa.Table:
        """The rows of a request with what an arm needs beside what they give."""
        reader = self._readers.get(arm.revision)
        if reader is None or table.num_rows == 0 or _AT not in table.column_names:
            return table
        filled, incomplete = reader.fill(table.drop_columns([_AT]), wanted, table[_AT][0].as_py())
        self.incomplete += incomplete
        return filled
