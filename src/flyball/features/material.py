"""The rows of a feature view, wherever they come from: files, datasets, SQL, a function, what was pushed.

Reading happens at the caller, who has the files; what was read is a snapshot, noted for lineage.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data.arrow import plain, unify
from flyball.data.dataset import Dataset
from flyball.data.datasets import Data
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.features.definition import FeatureView, PythonView
from flyball.features.views import Features
from flyball.refs import Ref
from flyball.schema import Schema
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads the rows of views.

    Attributes:
        root: The project's folder, to which paths are relative.
        cache: Folder for what can be made again.
        note: Told the reference of each snapshot that is read.
        functions: The project's views that functions compute, by name; a declaration alone does not hold its function.
    """

    data: Data
    features: Features
    blobs: Blobs
    root: Path
    cache: Path | None = None
    note: Callable[[str], None] = lambda _: None
    functions: Mapping[str, PythonView] = field(default_factory=dict)

    def rows(self, view: FeatureView) -> pa.Table:
        """All rows of a view: those of its source, then those that were pushed.

        Raises:
            InvalidInput: they cannot be read, or lack a column; the message names it.
            NotFound: there are none yet, or a dataset or function is missing.
        """
        tables = []
        if view.function:
            tables.append(self._computed(view))
        elif view.query:
            tables.append(self._queried(view))
        elif view.source:
            tables.append(self._of_source(view))
        tables += [_parquet(self.blobs.get(push.digest)) for push in self.features.pushes(view.name)]
        if not tables:
            raise NotFound(
                f"Feature view '{view.name}' has no rows.", hint="It has no source: push rows to it, or declare one."
            )
        found = unify(tables, [view.name, *(f"push {n} of {view.name}" for n in range(1, len(tables)))])
        _check(view, found)
        return found

    def _computed(self, view: FeatureView) -> pa.Table:
        computed = self.functions.get(view.name)
        if computed is None:
            raise NotFound(
                f"Feature view '{view.name}' is computed by '{view.function}', which is not in this project.",
                hint="Run it where the project's file declares it.",
            )
        if computed.view.code != view.code:
            raise InvalidInput(
                f"The function of feature view '{view.label}' is another one today.",
                hint=f"Use '{view.name}' for its present version, or take the code of that time.",
            )
        return computed.rows(*(self._dataset(dataset) for dataset in view.inputs))

    def _queried(self, view: FeatureView) -> pa.Table:
        if view.source:
            return self._of_dataset(Dataset(name=view.name, source=view.source, query=view.query, time=view.time))
        import duckdb

        given = {dataset.name: dataset for dataset in view.inputs}
        with duckdb.connect(config={"python_enable_replacements": "false"}) as connection:
            try:
                for name in sorted(connection.get_table_names(view.query)):
                    # Datasets alone: a query must not read the files of who happens to run it.
                    connection.register(name, self._dataset(given.get(name, Dataset(name=name))))
                connection.execute("SET enable_external_access=false")
                found: pa.Table = connection.sql(view.query).to_arrow_table()
            except duckdb.Error as error:
                raise InvalidInput(f"The SQL of feature view '{view.name}' failed: {error}") from error
        return plain(found.replace_schema_metadata(None))

    def _of_source(self, view: FeatureView) -> pa.Table:
        if not view.source.startswith(("datasets:/", "snapshots:/")):
            return self._of_dataset(Dataset(name=view.name, source=view.source, time=view.time))
        ref = Ref.parse(view.source)
        if ref.kind == "snapshots":
            return self._of_snapshot(ref.name, ref.version or "latest")
        given = {dataset.name: dataset for dataset in view.inputs}
        return self._dataset(given.get(ref.name, Dataset(name=ref.name)))

    def _dataset(self, dataset: Dataset) -> pa.Table:
        if dataset.source:
            return self._of_dataset(dataset)
        try:
            known = self.data.get(dataset.name)
        except NotFound:
            return self._of_snapshot(dataset.name, "latest")
        return self._of_dataset(known) if known.source else self._of_snapshot(dataset.name, "latest")

    def _of_dataset(self, dataset: Dataset) -> pa.Table:
        snapshot = take_snapshot(self.data, self.blobs, dataset, root=self.root, cache=self.cache)
        self.note(str(Ref(kind="snapshots", name=snapshot.dataset, version=snapshot.id)))
        return load_snapshot(self.blobs, snapshot)

    def _of_snapshot(self, name: str, version: str) -> pa.Table:
        snapshot = self.data.get_snapshot(name, version)
        self.note(str(Ref(kind="snapshots", name=snapshot.dataset, version=snapshot.id)))
        return load_snapshot(self.blobs, snapshot)


def stored_columns(view: FeatureView, table: pa.Table) -> list[str]:
    """The columns of a view's rows that are values: its features, or what its windows are made of."""
    if view.windows:
        return list(dict.fromkeys(made.column for made in view.windows))
    if view.columns:
        return list(view.columns)
    return [name for name in table.column_names if name not in view.roles]


def stored_schema(view: FeatureView, table: pa.Table) -> Schema:
    """The columns of a view's rows that matter: entity, time, created, then the values."""
    found = Schema.of(table.schema)
    return replace(found, columns=tuple(found.column(name) for name in (*view.roles, *stored_columns(view, table))))


def _check(view: FeatureView, table: pa.Table) -> None:
    names = table.column_names
    for column in (*view.roles, *view.columns, *(made.column for made in view.windows)):
        if column not in names:
            hint = did_you_mean(column, names)
            raise InvalidInput(f"Feature view '{view.name}' has no column '{column}'.", hint=hint, column=column)


def _parquet(data: bytes) -> pa.Table:
    import pyarrow.parquet as pq

    return plain(pq.read_table(io.BytesIO(data)).replace_schema_metadata(None))
