"""The loaded arms of one generation of a deployment, and how a table of inputs is answered by them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from flyball.errors import InvalidInput, NotFound
from flyball.models.flavors.base import Scores
from flyball.models.onnx_twin import load_served
from flyball.models.package import LoadedModel
from flyball.models.signature import conform
from flyball.schema import Schema
from flyball.serving.feature_lookup import FeatureLookup, LastingStore
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.matrix import MatrixReader
from flyball.serving.router import Router
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from typing_extensions import TypeIs

    Rows: TypeAlias = pa.Table | np.ndarray[Any, Any]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one arm answered.

    Attributes:
        rows: Places of its rows among those asked; None for all of them, in order.
        inputs: What the model was given.
        answer: A table for a table, arrays for a matrix.
        latency_us: Time that the model took for all its rows.
    """

    arm: Arm
    rows: Sequence[int] | None
    inputs: Rows
    answer: pa.Table | Scores
    latency_us: int

    def column(self, name: str) -> list[Any] | None:
        """The values of an answer column; None if the arm does not give it."""
        if not isinstance(self.answer, Scores):
            return self.answer.column(name).to_pylist() if name in self.answer.column_names else None
        found = self.answer.columns().get(name)
        return None if found is None else list(found.tolist())


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

    def column(self, name: str) -> list[Any] | None:
        """The values of an answer column; None if no arm gives it."""
        if len(self.parts) == 1 and self.parts[0].rows is None:
            return self.parts[0].column(name)
        values: list[Any] = [None] * self.count
        is_given = False
        for part in self.parts:
            found = part.column(name)
            if found is None:
                continue
            is_given = True
            for place, value in zip(range(self.count) if part.rows is None else part.rows, found, strict=True):
                values[place] = value
        return values if is_given else None

    def arrays(self) -> Mapping[str, np.ndarray[Any, Any]] | None:
        """The answer columns as arrays; None where they are not all of one model on a matrix."""
        if len(self.parts) != 1 or self.parts[0].rows is not None or not isinstance(self.parts[0].answer, Scores):
            return None
        return self.parts[0].answer.columns()

    def versions(self) -> list[int]:
        """The model version that answered, for each row."""
        if len(self.parts) == 1 and self.parts[0].rows is None:
            return [self.parts[0].arm.version] * self.count
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
        self.matrix = self._reader()
        self.pace = Pace()

    @classmethod
    def load(
        cls,
        manifest: Manifest,
        blobs: Blobs,
        former: Runtime | None = None,
        online: LastingStore | None = None,
        *,
        threads: int | None = None,
    ) -> Runtime:
        """Loads every arm, those apart that the former runtime holds already, and asks each once.

        Args:
            threads: How many one prediction of one model may use.

        Raises:
            FlyballError: a package cannot be loaded, or the manifest makes no sense.
        """
        held = former.models if former else {}
        models = {
            arm.package.id: held.get(arm.package.id) or load_served(arm.package, blobs, threads=threads)
            for arm in manifest.arms
        }
        runtime = cls(manifest, models, online)
        for name, model in models.items():
            if name not in held:
                _warm(model)
        if runtime.matrix is not None:
            runtime.pace = Pace.of(models[runtime.champion.package.id])
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

    def keys(self, table: Rows, ids: Sequence[str]) -> list[str]:
        """What each row is routed by: the manifest's key column, or the prediction's id.

        Raises:
            InvalidInput: the key column is missing.
        """
        name = self.manifest.key
        if not name:
            return list(ids)
        if is_matrix(table):
            values = [] if self.matrix is None else self.matrix.keys(table)
            return [fallback if value is None else str(value) for value, fallback in zip(values, ids, strict=True)]
        if name not in table.column_names:
            raise InvalidInput(f"Column '{name}' is missing, by which predictions are routed.", column=name)
        values = table.column(name).to_pylist()
        return [fallback if value is None else str(value) for value, fallback in zip(values, ids, strict=True)]

    def predict(self, rows: Rows, keys: Sequence[str], *, only: Arm | None = None) -> Answer:
        """Answers every row, by the arm of its key. Where a challenger fails, the champion stands in.

        Args:
            rows: A table, or a matrix as `self.matrix` reads it.
            only: Asks this arm for all rows, whatever the keys.

        Raises:
            InvalidInput: the rows do not fit the model.
        """
        if only is not None:
            return Answer(count=len(rows), parts=(self._score(only, rows, None),))
        by_arm: dict[int, list[int]] = {}
        if self.router.is_shared:
            for row, place in enumerate(self.router.places(keys)):
                by_arm.setdefault(place, []).append(row)
        if len(by_arm) < 2:
            arm = self.manifest.arms[next(iter(by_arm), self.router.champion)]
            part, failure = self._with_stand_in(arm, rows, None)
            return Answer(count=len(rows), parts=(part,), failures=() if failure is None else (failure,))
        parts, failures = [], []
        for place, own in by_arm.items():
            part, failure = self._with_stand_in(self.manifest.arms[place], _taken(rows, own), own)
            parts.append(part)
            failures += [] if failure is None else [failure]
        return Answer(count=len(rows), parts=tuple(parts), failures=tuple(failures))

    def shadow(self, arm: Arm, rows: Rows) -> Part:
        """What a shadow would have answered."""
        return self._score(arm, rows, None)

    def _with_stand_in(self, arm: Arm, rows: Rows, places: Sequence[int] | None) -> tuple[Part, Failure | None]:
        start = perf_counter()
        try:
            return self._score(arm, rows, places), None
        except Exception as error:
            if arm is self.champion:
                raise
            spent = int((perf_counter() - start) * 1e6)
            # A bad request fails at the champion, too, and is then no fault of the challenger.
            part = self._score(self.champion, rows, places)
            logger.warning("revision failed", extra={"revision": arm.revision}, exc_info=error)
            return part, Failure(arm=arm, rows=places, error=f"{type(error).__name__}: {error}"[:500], latency_us=spent)

    def _score(self, arm: Arm, rows: Rows, places: Sequence[int] | None) -> Part:
        model = self.models[arm.package.id]
        inputs: Rows
        answer: pa.Table | Scores
        if is_matrix(rows):
            inputs = rows if self.matrix is None else self.matrix.of_arm(arm, rows)
            start = perf_counter()
            answer = model.score(inputs)
        else:
            inputs = conform(self.lookup.fill(arm, rows, model.signature.inputs.names), model.signature.inputs)
            start = perf_counter()
            answer = model.predict(inputs)
        spent = int((perf_counter() - start) * 1e6)
        return Part(arm=arm, rows=places, inputs=inputs, answer=answer, latency_us=spent)

    def _reader(self) -> MatrixReader | None:
        """What reads requests as matrices; None where an arm, or what it looks up, needs more than numbers."""
        if self.lookup or any(self.models[arm.package.id].matrix is None for arm in self.manifest.arms):
            return None
        kinds = {
            frozenset((column.name, column.type) for column in self.signature_of(arm).columns)
            for arm in self.manifest.arms
        }
        key = self.manifest.key
        if len(kinds) > 1 or (key and key not in self.inputs.names):
            return None
        orders = {arm.revision: self.signature_of(arm).names for arm in self.manifest.arms}
        return MatrixReader(self.inputs, orders, key=key)

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


@dataclass(slots=True)
class Pace:
    """How long the champion takes for rows of a matrix, in seconds: what was measured before it was ready, and since."""

    call: float = 0.0
    row: float = 0.0
    slower: float = 1.0

    @classmethod
    def of(cls, model: LoadedModel) -> Pace:
        """Measures it."""
        import numpy as np

        width, spent = len(model.signature.inputs.columns), []
        for count in (1, 64):
            rows = np.zeros((count, width))
            start = perf_counter()
            model.score(rows)
            spent.append(perf_counter() - start)
        row = max(spent[1] - spent[0], 0.0) / 63
        return cls(call=max(spent[0] - row, 1e-6), row=row)

    def expect(self, rows: int) -> float:
        """Seconds that so many rows will take."""
        return (self.call + rows * self.row) * self.slower

    def learn(self, rows: int, seconds: float) -> None:
        """What they took."""
        ratio = seconds / max(self.call + rows * self.row, 1e-6)
        self.slower += 0.1 * (min(ratio, 100.0) - self.slower)


def is_matrix(rows: Rows) -> TypeIs[np.ndarray[Any, Any]]:
    """Whether they are a matrix and no table."""
    return not hasattr(rows, "column_names")


def _taken(rows: Rows, places: Sequence[int]) -> Rows:
    return rows[list(places)] if is_matrix(rows) else rows.take(places)


def _warm(model: LoadedModel) -> None:
    # The first call of a model costs a multiple of the later ones; one row and many go different ways.
    if model.matrix is not None:
        import numpy as np

        for count in (2, 1, 64):
            model.score(np.zeros((count, len(model.signature.inputs.columns))))
    elif model.example is not None:
        model.predict(model.example)
        model.predict(model.example.slice(0, 1))
