"""What a user says of a feature view: which thing it describes, when its values came, how long they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flyball.clock import parse_duration
from flyball.declarations import declare
from flyball.errors import InvalidInput
from flyball.refs import check_name


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Features of one kind of thing, over time.

    Attributes:
        source: Where its rows lie, as the source of a dataset.
        entity: Columns that name the thing; the rows it is joined to have them too.
        time: Column that says from when on a row's values hold.
        ttl_seconds: How old values may be, the edge included; None for ever.
        columns: The features; all other columns where it is empty.
        created: Column that says when a row became known; empty where that is the same as `time`.
    """

    name: str
    source: str
    entity: tuple[str, ...]
    time: str
    ttl_seconds: float | None = None
    columns: tuple[str, ...] = ()
    created: str = ""
    description: str = ""
    owner: str = ""


def feature_view(
    name: str,
    source: str,
    *,
    entity: str | Sequence[str],
    time: str,
    ttl: str | timedelta | None = None,
    columns: Sequence[str] = (),
    created: str = "",
    description: str = "",
    owner: str = "",
) -> FeatureView:
    """Declares a feature view; nothing is read yet.

    Args:
        name: Its name.
        source: Where its rows lie: a file, a pattern or a folder, relative to the project's root.
        entity: Column or columns that name the thing.
        time: Column that says from when on a row's values hold.
        ttl: How old values may be, such as `3h`; None for ever.
        columns: The features; all other columns by default.
        created: Column that says when a row became known, where that is later than its time.
        description: For the catalog.
        owner: For the catalog.

    >>> feature_view("weather", "data/weather.parquet", entity="origin", time="observed_at", ttl="3h").ttl_seconds
    10800.0

    Raises:
        InvalidInput: the declaration cannot be used.
    """
    declared = FeatureView(
        name=name,
        source=str(source),
        entity=(entity,) if isinstance(entity, str) else tuple(entity),
        time=time,
        ttl_seconds=None if ttl is None else parse_duration(ttl).total_seconds(),
        columns=(columns,) if isinstance(columns, str) else tuple(columns),
        created=created,
        description=description,
        owner=owner,
    )
    check_view(declared)
    declare(declared)
    return declared


def check_view(view: FeatureView) -> None:
    """Makes sure that a declaration can be used.

    Raises:
        InvalidInput: it cannot; the message says why.
    """
    check_name(view.name, "feature view")
    if not view.entity or not all(view.entity):
        raise InvalidInput(
            f"Feature view '{view.name}' has no entity.", hint="Name the column of its key: entity='id'."
        )
    if not view.time:
        raise InvalidInput(f"Feature view '{view.name}' has no time.", hint="Name the column: time='observed_at'.")
    if view.ttl_seconds is not None and view.ttl_seconds < 0:
        raise InvalidInput(f"The ttl of feature view '{view.name}' is negative.")
    roles = [*view.entity, view.time, *([view.created] if view.created else [])]
    for column in (*roles, *view.columns):
        if [*roles, *view.columns].count(column) > 1:
            raise InvalidInput(f"Feature view '{view.name}' names column '{column}' twice.")
