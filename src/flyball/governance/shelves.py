"""What the catalog is told of datasets, feature views, models, deployments and loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from flyball.data.catalog_entry import ColumnSource, EntryColumn, EntryText
from flyball.data.column_lineage import Origin, columns_of_query, tables_of_query
from flyball.data.external import external_ref
from flyball.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from flyball.data.datasets import Data, Dataset
    from flyball.data.manifest import Snapshot
    from flyball.deployment.deployments import Deployments
    from flyball.features.views import Features, FeatureView
    from flyball.loops.loops import Loops
    from flyball.registry.registered_models import RegisteredModels
    from flyball.registry.versions import Registry

_PAGE = 500
_T = TypeVar("_T")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class Datasets:
    """The shelf of datasets, with the columns of their latest snapshots."""

    kind = "datasets"
    rooms = ("data.",)

    def __init__(self, data: Data) -> None:
        self._data = data

    def describe(self, name: str) -> EntryText | None:
        """What is known of a dataset."""
        found = known(lambda: self._data.get(name))
        if found is None:
            return None
        snapshot = known(lambda: self._data.describe_latest(name))
        roles = [f"{role.replace('_', ' ')} {column}" for role, column in found.roles.items() if column]
        return EntryText(
            ref=f"datasets:/{name}",
            kind="datasets",
            title=name,
            description=found.description,
            columns=columns_of(snapshot),
            text=" ".join([found.source, *roles]),
            changed=snapshot.created if snapshot else None,
            column_sources=_of_database(found) if found.query else (),
            uses=tuple((table, "queried_by") for table in _tables_outside(found)),
        )

    def names(self) -> Iterator[str]:
        """The names of all datasets."""
        return _names(lambda after: self._data.list(limit=_PAGE, after=after))


class FeatureViews:
    """The shelf of feature views."""

    kind = "features"
    rooms = ("features.",)

    def __init__(self, features: Features, data: Data) -> None:
        self._features = features
        self._data = data

    def describe(self, name: str) -> EntryText | None:
        """What is known of a feature view."""
        view = known(lambda: self._features.get(name))
        if view is None:
            return None
        inputs = _inputs(view)
        tables = {each: columns_of(known(partial(self._data.describe_latest, each))) for each in inputs}
        sources = self._sources(view, {each: [c.name for c in columns] for each, columns in tables.items()})
        types = {c.name: c.type for columns in tables.values() for c in columns}
        names = dict.fromkeys([*view.entity, view.time, *view.columns, *(source.column for source in sources)])
        return EntryText(
            ref=f"features:/{name}",
            kind="features",
            title=name,
            description=view.description,
            owner=view.owner,
            columns=tuple(EntryColumn(name=each, type=types.get(each, "")) for each in names if each and each != "*"),
            tags=dict(view.tags),
            text=" ".join([view.source, view.query, view.function, "entity", *view.entity]),
            uses=tuple((f"datasets:/{each}", "feature_source") for each in inputs),
            column_sources=sources,
        )

    def names(self) -> Iterator[str]:
        """The names of all feature views."""
        return _names(lambda after: self._features.list(limit=_PAGE, after=after))

    def _sources(self, view: FeatureView, tables: Mapping[str, Sequence[str]]) -> tuple[ColumnSource, ...]:
        if view.query:
            known_names = {each.casefold(): each for each in tables}

            def place(table: str) -> str:
                named = known_names.get(table.casefold())
                return f"datasets:/{named}" if named else external_ref("external", view.source or "sql", table)

            return _sources_of(view.query, tables, place)
        if len(tables) != 1 or view.function:
            # What a function does with columns cannot be seen from here.
            return ()
        name, columns = next(iter(tables.items()))
        taken = [c for c in columns if not view.columns or c in (*view.columns, *view.roles)]
        return tuple(ColumnSource(column=c, source=f"datasets:/{name}", source_column=c) for c in taken)


class Models:
    """The shelf of registered models."""

    kind = "models"
    rooms = ("registry.",)

    def __init__(self, models: RegisteredModels, registry: Registry) -> None:
        self._models = models
        self._registry = registry

    def describe(self, name: str) -> EntryText | None:
        """What is known of a registered model."""
        model = known(lambda: self._models.get(name))
        if model is None:
            return None
        latest = known(lambda: self._registry.get_version(f"models:/{name}/{model.latest}")) if model.latest else None
        return EntryText(
            ref=f"models:/{name}",
            kind="models",
            title=name,
            description=model.description,
            tags=dict(model.tags),
            text=" ".join([*model.aliases, latest.label if latest else "", latest.description if latest else ""]),
            changed=latest.created if latest else None,
        )

    def names(self) -> Iterator[str]:
        """The names of all registered models."""
        return _names(lambda after: self._registry.list_models(limit=_PAGE, after=after))


class ServedModels:
    """The shelf of deployments."""

    kind = "deployments"
    rooms = ("deployment.",)

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def describe(self, name: str) -> EntryText | None:
        """What is known of a deployment."""
        found = known(lambda: self._deployments.get(name))
        if found is None:
            return None
        return EntryText(
            ref=f"deployments:/{name}",
            kind="deployments",
            title=name,
            description=f"Serves {found.model}, version {found.champion}.",
            changed=found.updated,
            uses=((f"models:/{found.model}/{found.champion}", "served_as"),),
        )

    def names(self) -> Iterator[str]:
        """The names of all deployments."""
        return _names(lambda after: self._deployments.list(limit=_PAGE, after=after))


class DeclaredLoops:
    """The shelf of loops."""

    kind = "loops"
    rooms = ("loops.applied", "loops.removed")

    def __init__(self, loops: Loops) -> None:
        self._loops = loops

    def describe(self, name: str) -> EntryText | None:
        """What is known of a loop."""
        found = known(lambda: self._loops.get(name))
        if found is None:
            return None
        loop = found.loop
        watched = [str(trigger.params["dataset"]) for trigger in loop.retrain if trigger.params.get("dataset")]
        words = [*(trigger.trigger for trigger in loop.retrain), *(gate.gate for gate in loop.gates)]
        return EntryText(
            ref=f"loops:/{name}",
            kind="loops",
            title=name,
            description=f"Runs the pipeline {loop.pipeline}.",
            text=" ".join([loop.module, *words, *(monitor.monitor for monitor in loop.monitors)]),
            uses=tuple((f"datasets:/{dataset}", "watched_by") for dataset in watched),
        )

    def names(self) -> Iterator[str]:
        """The names of all loops."""
        after = ""
        while found := self._loops.list(limit=_PAGE, after=after):
            yield from (state.loop.name for state in found)
            after = found[-1].loop.name


def columns_of(snapshot: Snapshot | None) -> tuple[EntryColumn, ...]:
    """The columns of a snapshot; none for a folder of files."""
    if snapshot is None or snapshot.schema is None:
        return ()
    return tuple(EntryColumn(name=column.name, type=column.type) for column in snapshot.schema.columns)


def _of_database(dataset: Dataset) -> tuple[ColumnSource, ...]:
    return _sources_of(dataset.query, {}, lambda table: external_ref("external", dataset.source, table))


def _tables_outside(dataset: Dataset) -> list[str]:
    if not dataset.query:
        return []
    tables = known(lambda: tables_of_query(dataset.query)) or ()
    return [external_ref("external", dataset.source, table) for table in tables]


def _sources_of(
    query: str, tables: Mapping[str, Sequence[str]], place: Callable[[str], str]
) -> tuple[ColumnSource, ...]:
    made: dict[str, tuple[Origin, ...]] = known(lambda: columns_of_query(query, tables)) or {}
    return tuple(
        ColumnSource(
            column=column, source=place(o.table), source_column=o.column, direct=o.direct, how=o.how
        )
        for column, origins in made.items()
        for o in origins
        if o.table
    )  # fmt: skip


def _inputs(view: FeatureView) -> list[str]:
    """The names of the datasets that a view is made from."""
    found = [dataset.name for dataset in view.inputs]
    kind, _, rest = view.source.partition(":/")
    if kind in ("datasets", "snapshots") and not rest.startswith("/"):
        found.append(rest.partition("/")[0].partition("@")[0])
    return list(dict.fromkeys(found))


def known(ask: Callable[[], _T]) -> _T | None:
    """What is asked for; None where it is not there, or cannot be read."""
    try:
        return ask()
    except (NotFound, InvalidInput):
        return None


def _names(page: Callable[[str], Sequence[_Named]]) -> Iterator[str]:
    after = ""
    while found := page(after):
        yield from (each.name for each in found)
        after = found[-1].name
