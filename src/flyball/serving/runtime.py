"""The loaded arms of one generation of a deployment, and how a table of inputs is answered by them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput, NotFound
from flyball.models.package import LoadedModel, load_model
from flyball.models.signature import conform
from flyball.schema import Schema
from flyball.serving.feature_lookup import FeatureLookup, LastingStore
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.router import Router
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one arm answered.

    Attributes:
        rows: Places of its rows in the request; None for all of them, in order.
        inputs: What the model was given.
        latency_us: Time that the model took for all its rows.
    """

    arm: Arm
    rows: Sequence[int] | None
    inputs: pa.Table
    answer: pa.Table
    latency_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What an arm could not answer, where the champion stood in.

    Attributes:
        rows: Places of its rows in the request; None for all of them.
        latency_us: Time until it failed.
    """

    arm: Arm
    rows: Sequence[int] | None
    error: str
    latency_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request is answered, row by row.

    Attributes:
        failures: What went wrong in arms that the champion stood in for.
    """

    count: int
    parts: tuple[Part, ...]
    failures: tuple[Failure, ...] = field(default=())

    def column(self, name: str) -> list[object] | None:
        """The values of an answer column; None if no arm gives it."""
        if not any(name in part.answer.column_names for part in self.parts):
            return None
        values: list[object] = [None] * self.count
        for part in self.parts:
            if name not in part.answer.column_names:
                continue
            found = part.answer.column(name).to_pylist()
            if part.rows is None:
                return list(found)
            for place, value in zip(part.rows, found, strict=True):
                values[place] = value
        return values

    def versions(self) -> list[int]:
        """The model version that answered, for each row."""
        found = [0] * self.count
        for part in self.parts:
            for place in range(self.count) if part.rows is None else part.rows:
                found[place] = part.arm.version
        return found


class Runtime:
    """One generation of a deployment, loaded. It never changes: a new generation is a new runtime.

    Args:
        models: The loaded model of each arm, by the id of its package.
        online: Where features are that a request does not give.
    """

    def __init__(
        self, manifest: Manifest, models: Mapping[str, LoadedModel], online: LastingStore | None = None
    ) -> None:
        self.manifest = manifest
        self.router = Router(manifest.deployment, manifest.arms)
        self.models = dict(models)
        self.champion = manifest.arms[self.router.champion]
        self.shadows = tuple(arm for arm in manifest.arms if arm.role == "shadow")
        self.lookup = FeatureLookup(manifest.arms, online or LastingStore(""))
        self.inputs = self._accepted()

    @classmethod
    def load(
        cls, manifest: Manifest, blobs: Blobs, former: Runtime | None = None, online: LastingStore | None = None
    ) -> Runtime:
        """Loads every arm, those apart that the former runtime holds already, and asks each on its example.

        Raises:
            FlyballError: a package cannot be loaded, or the manifest makes no sense.
        """
        held = former.models if former else {}
        models = {arm.package.id: held.get(arm.package.id) or load_model(arm.package, blobs) for arm in manifest.arms}
        runtime = cls(manifest, models, online)
        for name, model in models.items():
            if name not in held and model.example is not None:
                # The first call of a model costs a multiple of the later ones; one row and many go different ways.
                model.predict(model.example)
                model.predict(model.example.slice(0, 1))
        return runtime

    def signature_of(self, arm: Arm) -> Schema:
        """The columns that an arm takes."""
        return self.models[arm.package.id].signature.inputs

    def version(self, version: int) -> Arm:
        """The arm of a model version.

        Raises:
            NotFound: no arm is of that version.
        """
        for arm in self.manifest.arms:
            if arm.version == version:
                return arm
        known = ", ".join(str(arm.version) for arm in self.manifest.arms)
        raise NotFound(f"'{self.manifest.deployment}' serves no version {version}.", hint=f"It serves {known}.")

    def keys(self, table: pa.Table, ids: Sequence[str]) -> list[str]:
        """What each row is routed by: the manifest's key column, or the prediction's id.

        Raises:
            InvalidInput: the key column is missing.
        """
        name = self.manifest.key
        if not name:
            return list(ids)
        if name not in table.column_names:
            raise InvalidInput(f"Column '{name}' is missing, by which predictions are routed.", column=name)
        values = table.column(name).to_pylist()
        return [fallback if value is None else str(value) for value, fallback in zip(values, ids, strict=True)]

    def predict(self, table: pa.Table, keys: Sequence[str], *, only: Arm | None = None) -> Answer:
        """Answers every row, by the arm of its key. Where a challenger fails, the champion stands in.

        Args:
            only: Asks this arm for all rows, whatever the keys.

        Raises:
            InvalidInput: the rows do not fit the model.
        """
        if only is not None:
            return Answer(count=table.num_rows, parts=(self._score(only, table, None),))
        by_arm: dict[int, list[int]] = {}
        for row, place in enumerate(self.router.places(keys)):
            by_arm.setdefault(place, []).append(row)
        if not by_arm:
            by_arm = {self.router.champion: []}
        parts, failures = [], []
        for place, rows in by_arm.items():
            mine, own = (table, None) if len(by_arm) == 1 else (table.take(rows), rows)
            part, failure = self._with_stand_in(self.manifest.arms[place], mine, own)
            parts.append(part)
            failures += [] if failure is None else [failure]
        return Answer(count=table.num_rows, parts=tuple(parts), failures=tuple(failures))

    def shadow(self, arm: Arm, table: pa.Table) -> Part:
        """What a shadow would have answered."""
        return self._score(arm, table, None)

    def _with_stand_in(self, arm: Arm, table: pa.Table, rows: Sequence[int] | None) -> tuple[Part, Failure | None]:
        start = perf_counter()
        try:
            return self._score(arm, table, rows), None
        except Exception as error:
            if arm is self.champion:
                raise
            spent = int((perf_counter() - start) * 1e6)
            # A bad request fails at the champion, too, and is then no fault of the challenger.
            part = self._score(self.champion, table, rows)
            logger.warning("revision failed", extra={"revision": arm.revision}, exc_info=error)
            return part, Failure(arm=arm, rows=rows, error=f"{type(error).__name__}: {error}"[:500], latency_us=spent)

    def _score(self, arm: Arm, table: pa.Table, rows: Sequence[int] | None) -> Part:
        model = self.models[arm.package.id]
        table = self.lookup.fill(arm, table, model.signature.inputs.names)
        inputs = conform(table, model.signature.inputs)
        start = perf_counter()
        answer = model.predict(inputs)
        spent = int((perf_counter() - start) * 1e6)
        return Part(arm=arm, rows=rows, inputs=inputs, answer=answer, latency_us=spent)

    def _accepted(self) -> Schema:
        """The columns of all arms, the champion's first."""
        columns = {column.name: column for column in self.signature_of(self.champion).columns}
        for arm in self.manifest.arms:
            for column in self.signature_of(arm).columns:
                columns.setdefault(column.name, column)
        for column in self.lookup.columns():
            # What is looked up need not be given, whatever the model says of it.
            columns[column.name] = replace(columns.get(column.name, column), nullable=True)
        return Schema(columns=tuple(columns.values()))
