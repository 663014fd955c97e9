"""Puts features beside rows for training, and says what a model server needs to do the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput
from flyball.features.definition import FeatureView, PythonView
from flyball.features.functions import OnDemand, compute
from flyball.features.join import feature_names, join_features
from flyball.features.material import Reader, stored_schema
from flyball.features.plan import FeaturePlan, FeatureSet, FeatureSource, PlannedFunction, PlannedView, members_of
from flyball.features.views import Features

if TYPE_CHECKING:
    import pyarrow as pa


def join_for_training(
    rows: pa.Table,
    features: FeatureSet | Sequence[FeatureSource | FeatureSet],
    *,
    time: str,
    reader: Reader,
    catalog: Features,
) -> tuple[pa.Table, FeaturePlan]:
    """The rows with features as known at each row's time, and what they were made with.

    Args:
        features: A set, or views, on-demand features and names of views such as `weather@2`.
        time: Column of the rows: the moment at which the features must have been known.
        reader: Reads the rows of views.
        catalog: Where views are declared; one whose declaration or code has changed gets its next version.

    Raises:
        InvalidInput: a column is missing, appears twice, or is of a type that does not fit.
        NotFound: a view that is named is not there.
    """
    name, members = members_of(features)
    computed = {item.name: item for item in members if isinstance(item, PythonView)}
    reader = replace(reader, functions={**reader.functions, **computed})
    views = [_declared(item, catalog) for item in members if not isinstance(item, OnDemand)]
    tables = [(view, reader.rows(view)) for view in views]
    joined = join_features(rows, tables, time=time) if tables else rows
    planned = []
    for (view, table), names in zip(tables, feature_names(rows, tables), strict=True):
        schema = stored_schema(view, table)
        catalog.set_schema(view.name, view.version, schema)
        planned.append(PlannedView(view=view, schema=schema, names=names))
    functions = []
    for item in members:
        if isinstance(item, OnDemand):
            joined, function = _computed(joined, item)
            functions.append(function)
    plan = FeaturePlan(name=name, views=tuple(planned), functions=tuple(functions))
    if name:
        catalog.declare_set(plan)
    return joined, plan


def _declared(item: FeatureView | PythonView | str, catalog: Features) -> FeatureView:
    if isinstance(item, str):
        return catalog.get(item)
    view = item.view if isinstance(item, PythonView) else item
    return view if view.version else catalog.declare(view)


def _computed(rows: pa.Table, made: OnDemand) -> tuple[pa.Table, PlannedFunction]:
    source = made.source
    found = compute(made.function, made.name, made.inputs, rows)
    for name in found.column_names:
        if name in rows.column_names:
            raise InvalidInput(
                f"On-demand feature '{made.name}' gives a column '{name}', which is there already.",
                hint="Rename one of them.",
            )
        rows = rows.append_column(name, found[name])
    planned = PlannedFunction(
        name=made.name,
        inputs=made.inputs,
        outputs=tuple(found.column_names),
        function=made.function.__name__,
        source=source,
    )
    return rows, planned
