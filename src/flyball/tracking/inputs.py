"""What went into runs and came out of them: data sets, and models that were logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _inputs_store, _store, limits
from flyball.verbs import change, read

NAME_LENGTH = 500
DIGEST_LENGTH = 36
SOURCE_LENGTH = 65_535
SCHEMA_LENGTH = 1_048_575
PROFILE_LENGTH = 16_777_215
MOST_DATASETS = 1_000
CONTEXT_TAG = "mlflow.data.context"
"""The tag of a data set that says what a run used it for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDataset:
    """A data set that a run used.

    Attributes:
        digest: What tells its state apart from others of the same name.
        source: Where it came from, as its kind of source writes it.
        tags: What is said of this use of it; `mlflow.data.context` says what it was used for.
    """

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """A logged model that a run made, and the step at which it did."""

    model: str
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InputsOfRun:
    """What one run used, and the logged models that came out of it."""

    run: str
    datasets: tuple[LoggedDataset, ...] = ()
    models: tuple[str, ...] = ()
    outputs: tuple[ModelOutput, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A data set that runs of an experiment used."""

    experiment: str
    name: str
    digest: str
    context: str | None


class RunInputs:
    """Keeps what went into runs and came out of them."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @change
    def log_inputs(
        self, run: str, datasets: list[LoggedDataset] | None = None, models: list[str] | None = None
    ) -> None:
        """Notes what a run used. What is noted already stays as it is.

        Args:
            datasets: Data sets; of two with the same name and digest the first counts.
            models: Ids of logged models.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
            InvalidInput: a name, digest or text cannot be kept.
        """
        limits.check_count(len(datasets or ()), "data sets", MOST_DATASETS)
        limits.check_count(len(models or ()), "models", MOST_DATASETS)
        given: dict[tuple[str, str], LoggedDataset] = {}
        for dataset in datasets or ():
            given.setdefault((dataset.name, dataset.digest), _checked(dataset))
        for model in models or ():
            limits.check_text(model, "id of the model", 64)
        with self._database.transaction() as connection:
            row = self._active(connection, run)
            uses = self._uses(connection, row, given)
            roles = [{"run": row.number, "role": "input", "model": m, "step": 0} for m in dict.fromkeys(models or ())]
            _inputs_store.write_uses(self._database, connection, uses, roles)

    @change
    def log_outputs(self, run: str, models: list[ModelOutput]) -> None:
        """Notes which logged models came out of a run.

        Raises:
            NotFound: there is no such run, or it lies in the trash.
        """
        limits.check_count(len(models), "models", MOST_DATASETS)
        for output in models:
            limits.check_text(output.model, "id of the model", 64)
        with self._database.transaction() as connection:
            number = self._active(connection, run).number
            rows = {o.model: {"run": number, "role": "output", "model": o.model, "step": o.step} for o in models}
            _inputs_store.write_uses(self._database, connection, [], list(rows.values()))

    @read
    def get(self, runs: list[str]) -> list[InputsOfRun]:
        """What runs used and made, in the order they are given; ids that are none are left out."""
        limits.check_count(len(runs), "runs", 50_000)
        table = _store.runs
        found: dict[str, InputsOfRun] = {}
        with self._database.reading() as connection:
            for start in range(0, len(runs), 1000):  # few enough for what one statement can bind
                wanted = table.c.id.in_(runs[start : start + 1000])
                numbers = {
                    row.number: row.id
                    for row in connection.execute(sa.select(table.c.number, table.c.id).where(wanted))
                }
                found |= _collected(connection, numbers)
        return [found[run] for run in runs if run in found]

    def of_numbers(self, runs: dict[int, str]) -> dict[str, InputsOfRun]:
        """What runs used and made, by their ids; they are given by their row numbers, each with its id."""
        numbers = list(runs)
        found: dict[str, InputsOfRun] = {}
        with self._database.reading() as connection:
            for start in range(0, len(numbers), 1000):
                found |= _collected(connection, {number: runs[number] for number in numbers[start : start + 1000]})
        return found

    @read
    def list_datasets(self, experiments: list[str], limit: int = 1000) -> list[DatasetSummary]:
        """The data sets that the experiments' runs used, and for what.

        Args:
            experiments: Ids of experiments.
        """
        numbers = [int(experiment) for experiment in experiments if experiment.isdecimal() and len(experiment) < 19]
        rows = self._database.rows(_inputs_store.summaries(numbers, max(1, min(limit, 10_000))))
        return [
            DatasetSummary(experiment=str(row.experiment), name=row.name, digest=row.digest, context=row.context)
            for row in rows
        ]

    def _active(self, connection: sa.Connection, run: str) -> sa.Row[Any]:
        row = connection.execute(sa.select(_store.runs).where(_store.runs.c.id == run)).first()
        if row is None:
            raise NotFound(f"There is no run '{run[:128]}'.", run=run[:128])
        if row.deleted is not None:
            raise NotFound(f"Run '{run}' lies in the trash.", hint="Restore it first.", run=run)
        return row

    def _uses(
        self, connection: sa.Connection, run: sa.Row[Any], given: dict[tuple[str, str], LoggedDataset]
    ) -> list[dict[str, Any]]:
        if not given:
            return []
        now = self._clock.now()
        rows = [
            {
                "experiment": run.experiment,
                "name": dataset.name,
                "digest": dataset.digest,
                "source_type": dataset.source_type,
                "source": dataset.source,
                "schema": dataset.schema,
                "profile": dataset.profile,
                "created": now,
            }
            for _, dataset in sorted(given.items())
        ]
        _inputs_store.write_datasets(self._database, connection, rows)
        names = {name for name, _ in given}
        numbers = _inputs_store.dataset_numbers(connection, run.experiment, names)
        return [
            {
                "run": run.number,
                "dataset": numbers[key],
                "context": dataset.tags.get(CONTEXT_TAG),
                "tags": dataset.tags,
            }
            for key, dataset in given.items()
        ]


def _collected(connection: sa.Connection, numbers: dict[int, str]) -> dict[str, InputsOfRun]:
    sets, models = _inputs_store.uses_of(connection, list(numbers))
    datasets: dict[int, list[LoggedDataset]] = {}
    for row in sets:
        datasets.setdefault(row.run, []).append(
            LoggedDataset(
                name=row.name,
                digest=row.digest,
                source_type=row.source_type,
                source=row.source,
                schema=row.schema,
                profile=row.profile,
                tags=row.tags,
            )
        )
    used: dict[int, list[str]] = {}
    made: dict[int, list[ModelOutput]] = {}
    for row in models:
        if row.role == "input":
            used.setdefault(row.run, []).append(row.model)
        else:
            made.setdefault(row.run, []).append(ModelOutput(model=row.model, step=row.step))
    return {
        run: InputsOfRun(
            run=run,
            datasets=tuple(datasets.get(number, ())),
            models=tuple(used.get(number, ())),
            outputs=tuple(made.get(number, ())),
        )
        for number, run in numbers.items()
    }


def _checked(dataset: LoggedDataset) -> LoggedDataset:
    named: Sequence[tuple[str, str, int]] = (
        ("name", dataset.name, NAME_LENGTH),
        ("digest", dataset.digest, DIGEST_LENGTH),
        ("source_type", dataset.source_type, SOURCE_LENGTH),
        ("source", dataset.source, SOURCE_LENGTH),
        ("schema", dataset.schema, SCHEMA_LENGTH),
        ("profile", dataset.profile, PROFILE_LENGTH),
    )
    for name, text, longest in named:
        if isinstance(text, str) and len(text) > longest:
            raise InvalidInput(f"'{name}' exceeds the maximum length of {longest} characters")
        limits.check_text(text, f"data set's {name}", longest)
    limits.check_count(len(dataset.tags), "tags", 1_000)
    for key, value in dataset.tags.items():
        for name, text, longest in (("key", key, 255), ("value", value, 500)):
            if len(text) > longest:
                raise InvalidInput(f"'{name}' exceeds the maximum length of {longest} characters")
            limits.check_text(text, f"data set's tag {name}", longest)
    return dataset
